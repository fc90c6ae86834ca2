import pandas as pd
import pytest

from toolkit.loaders.cells import refuse
from toolkit.loaders.files import as_cells, named_cells


class TestAsCells:
    @pytest.mark.parametrize("row", ["1,2,3,4,5", "1,2,3,,", "1,2,3,4,,,,", '1,2,"x\ny",4,5'])
    @pytest.mark.parametrize("before", ["", "1,2,3\n", "\n \n"])
    def test_a_row_with_several_fields_too_many_is_refused_and_never_cut(self, row, before):
        with pytest.raises(ValueError, match=r"`path` must be a table with .* in x\.csv\."):
            as_cells(f"a,b,c\n{before}{row}\n".encode(), "x.csv")

    def test_one_too_many_is_refused_with_its_row_unless_it_is_blank(self):
        with pytest.raises(ValueError, match="3 fields in each row, found more in row 2 of x"):
            as_cells(b"a,b,c\n1,2,3\n1,2,3,4\n", "x.csv")
        cells = as_cells(b"a,b,c\n1,2,3, \n4,5,6\n", "x.csv")
        assert cells.to_numpy().tolist() == [["1", "2", "3"], ["4", "5", "6"]]
        assert cells.index.equals(pd.RangeIndex(2))

    @pytest.mark.parametrize("data", [b'a,b\n"1,2\n', b"a" * 200_000 + b",b\n1,2\n"])
    def test_a_quote_without_an_end_and_a_name_without_one_are_refused(self, data):
        with pytest.raises(ValueError, match="or a quote without an end, in x"):
            as_cells(data, "x.csv")

    def test_an_export_is_refused_alike(self):
        with pytest.raises(ValueError, match="`path` must be a table with"):
            named_cells(b"\na,b\n1,2,3,4,5\n", "x.csv", {"a": "a", "b": "b"})


class TestRefuse:
    def refusal(self, cell):
        with pytest.raises(ValueError, match=r"^no, found ") as caught:
            refuse(pd.Series(["", cell]), [False, True], "no")
        return str(caught.value)

    def test_the_first_wrong_cell_is_shown_with_its_row(self):
        assert self.refusal("soon") == "no, found 'soon' in row 2."
        refuse(pd.Series(["soon"]), [False], "no")

    def test_of_a_long_cell_only_the_start_is_shown(self):
        assert self.refusal("x" * 60) == f"no, found '{'x' * 60}' in row 2."
        assert self.refusal("x" * 5000) == f"no, found '{'x' * 60}...' in row 2."

    @pytest.mark.parametrize("cell", ["ann@example.org", "x" * 5000 + "@"])
    def test_an_address_is_never_shown(self, cell):
        assert self.refusal(cell) == "no, found a text with an @ in row 2."
