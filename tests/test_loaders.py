import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from toolkit.loaders.cells import written_seconds
from toolkit.privacy.keys import has_pseudonym_form, pseudonym

COLUMNS = {"viewer": "User", "title": "Channel", "started_at": "At", "watched_seconds": "For"}
ROWS = [("7", "News", "2016-03-02 10:00", "0:00:10"), ("6", "News", "2016-03-01 23:30", "1:30:00")]


def write(tmp_path, text, name="log.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def table(rows=ROWS, separator=",", header=("User", "Channel", "At", "For"), newline="\n"):
    return newline.join(separator.join(row) for row in [header, *rows]) + newline


def load(path, **arguments):
    return tk.load_table(
        path, **{"columns": COLUMNS, "clock_tz": "UTC", "duration": "H:MM:SS"} | arguments
    )


def frame_of(*started, **columns):
    return pd.DataFrame(
        {"User": "7", "Channel": "News", "At": list(started), "For": "0:00:10"} | columns
    )


class TestLoadTable:
    def test_reads_a_table_through_its_map(self, tmp_path, key_file):
        plays = load(write(tmp_path, table()))
        key = bytes.fromhex(key_file.read_text())
        assert sorted(plays["viewer"]) == sorted(
            pseudonym("viewer", "table", n, n, key=key) for n in "67"
        )
        six = plays[plays["watched_seconds"] == 5400].iloc[0]
        assert six["viewer"] == pseudonym("viewer", "table", "6", "6", key=key)
        assert six["account"] == pseudonym("account", "table", "6", key=key)
        assert six["started_at"] == pd.Timestamp("2016-03-01 23:30Z")
        assert six[["title", "source", "row_is", "precision"]].tolist() == [
            "News", "table", "play", "minute",
        ]  # fmt: skip

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_separators_line_ends_and_marked_encodings_are_told(
        self, tmp_path, separator, newline, encoding
    ):
        rows = [("7", "Straßenbahn – Ω", "2016-03-02 10:00", "0:00:10")]
        plays = load(write(tmp_path, table(rows, separator, newline=newline), encoding=encoding))
        assert plays["title"].tolist() == ["Straßenbahn – Ω"]

    def test_quoted_separators_newlines_and_names_that_look_missing_stay(self, tmp_path):
        rows = [("NA", '"Tom, ""Jerry""\n& co"', "2016-03-02 10:00", "0:00:10"),
                ("null", "N/A", "2016-03-02 10:00", "0:00:10")]  # fmt: skip
        plays = load(write(tmp_path, table(rows)))
        assert sorted(plays["title"]) == ["N/A", 'Tom, "Jerry"\n& co']
        assert plays["excluded"].isna().all()
        assert plays["viewer"].nunique() == 2

    def test_another_encoding_is_asked_for_and_then_used(self, tmp_path):
        path = write(
            tmp_path, table([("7", "Café", "2016-03-02 10:00", "0:00:10")]), encoding="cp1252"
        )
        with pytest.raises(ValueError, match="must be text in utf-8, found byte 0xe9 at position"):
            load(path)
        assert load(path, encoding="cp1252")["title"].tolist() == ["Café"]

    def test_parquet_and_frames_give_the_same(self, tmp_path):
        path = tmp_path / "log.parquet"
        frame = pd.DataFrame(ROWS, columns=["User", "Channel", "At", "For"])
        frame.to_parquet(path)
        expected = load(write(tmp_path, table()))
        assert_frame_equal(load(path), expected)
        assert_frame_equal(load(frame.set_axis([5, 5])), expected)

    @pytest.mark.parametrize(
        ("text", "precision", "instant"),
        [
            ("2016/03/02 09:04", "minute", "2016-03-02 09:04Z"),
            ("2016.3.2 9:04:05", "second", "2016-03-02 09:04:05Z"),
            ("2016-03-02T09:04:05.1234567", "second", "2016-03-02 09:04:05.123456Z"),
            ("2016-03-02", "day", "2016-03-02 00:00Z"),
            ("2016-03-02T09:04:05Z", "second", "2016-03-02 09:04:05Z"),
            ("2016-03-02 09:04:05+02:00", "second", "2016-03-02 07:04:05Z"),
            ("2016-03-02 09:04:05-0530", "second", "2016-03-02 14:34:05Z"),
            ("2016-03-02 09:04:05 UTC", "second", "2016-03-02 09:04:05Z"),
        ],
    )
    def test_written_times_and_how_exact_they_are(self, text, precision, instant):
        plays = load(frame_of(text))
        assert plays["started_at"].tolist() == [pd.Timestamp(instant)]
        assert plays["precision"].tolist() == [precision]

    def test_a_time_with_an_offset_needs_no_clock_and_a_date_neither(self):
        plays = load(frame_of("2016-03-02 09:04Z", "2016-03-03"), clock_tz=None)
        assert plays["precision"].tolist() == ["minute", "day"]

    def test_times_without_a_zone_are_refused_until_the_clock_is_named(self):
        with pytest.raises(
            ValueError,
            match=r"`clock_tz` must say which zone .* found '2016-03-02 09:04' in row 2",
        ):
            load(frame_of("2016-03-02 09:04Z", "2016-03-02 09:04"), clock_tz=None)
        naive = frame_of(pd.Timestamp("2016-03-02 09:04"))
        with pytest.raises(ValueError, match="`clock_tz` must say which zone"):
            load(naive, clock_tz=None)

    @pytest.mark.parametrize("as_stamps", [False, True])
    def test_a_clock_in_a_zone_with_daylight_saving(self, as_stamps):
        # 26 March 2:30 never was in Berlin; 29 October 2:30 was twice.
        clock = ["2017-03-26 01:30:00", "2017-03-26 02:30:00", "2017-10-29 02:30:00"]
        frame = frame_of(*(pd.to_datetime(clock) if as_stamps else clock))
        plays = load(frame, clock_tz="Europe/Berlin")
        assert plays["started_at"].tolist() == [
            pd.Timestamp(t) for t in ("2017-03-26 00:30Z", "2017-03-26 01:00Z", "2017-10-29 00:30Z")
        ]
        assert plays["excluded"].tolist() == [np.nan, "impossible time", np.nan]

    def test_aware_stamps_and_dates_of_a_frame(self):
        aware = load(frame_of(pd.Timestamp("2016-03-02 09:04", tz="Asia/Tokyo")), clock_tz=None)
        assert aware["started_at"].tolist() == [pd.Timestamp("2016-03-02 00:04Z")]
        dates = load(frame_of(dt.date(2016, 3, 2)), clock_tz=None)
        assert dates["precision"].tolist() == ["day"]

    def test_the_order_of_a_date_is_never_guessed(self):
        frame = frame_of("03/04/2016 10:00", "13/04/2016 10:00")
        with pytest.raises(
            ValueError, match="found '03/04/2016 10:00' in row 1: name the `date_order`"
        ):
            load(frame)
        assert load(frame, date_order="DMY")["started_at"].dt.month.tolist() == [4, 4]
        with pytest.raises(
            ValueError, match=r"`started_at` must be times in one style \(MDY.* in row 2"
        ):
            load(frame, date_order="MDY")

    @pytest.mark.parametrize("text", ["soon", "2016-02-30 10:00", "2016-03-02 25:00", "1456909440"])
    def test_a_time_that_cant_be_read_is_refused_with_its_row(self, text):
        with pytest.raises(ValueError, match=f"found '{text}' in row 2"):
            load(frame_of("2016-03-02 10:00", text))

    @pytest.mark.parametrize(
        ("duration", "written", "seconds"),
        [
            ("H:MM:SS", "0:00:10", 10), ("H:MM:SS", "123:59:59", 446399), ("H:MM:SS", "00:00:01.5", 1.5),
            ("H:MM:SS", "", np.nan), ("seconds", "12.5", 12.5), ("seconds", "", np.nan), ("seconds", 12, 12),
        ],
    )  # fmt: skip
    def test_durations(self, duration, written, seconds):
        plays = load(frame_of("2016-03-02 10:00", For=written), duration=duration)
        np.testing.assert_equal(plays["watched_seconds"].tolist(), [seconds])

    @pytest.mark.parametrize(
        ("duration", "written"),
        [("H:MM:SS", "12:30"), ("H:MM:SS", "0:61:00"), ("seconds", "0:00:10")],
    )
    def test_a_duration_that_cant_be_read_is_refused_with_its_row(self, duration, written):
        with pytest.raises(
            ValueError, match=f"`watched_seconds` must be written as .*'{written}' in row 1"
        ):
            load(frame_of("2016-03-02 10:00", For=written), duration=duration)

    def test_no_row_goes_and_each_that_is_not_used_says_why(self, tmp_path):
        rows = [
            ("7", "News", "2016-03-02 10:00", "10"),
            ("", "News", "2016-03-02 10:00", "10"),
            ("7", " ", "2016-03-02 10:00", "10"),
            ("7", "News", "", "10"),
            ("7", "News", "2016-03-02 10:00", "-1"),
            ("7", "News", "2016-03-02 10:00", "0"),
        ]
        plays = load(write(tmp_path, table(rows)), duration="seconds")
        assert len(plays) == 6
        assert tk.loss_table(plays)["reason"].tolist() == [
            "impossible duration", "no time", "no title", "no viewer",
        ]  # fmt: skip
        assert plays["excluded"].isna().sum() == 2

    def test_equal_rows_are_all_kept(self, tmp_path):
        plays = load(write(tmp_path, table([ROWS[0]] * 3)))
        assert len(plays) == 3
        assert plays["excluded"].isna().all()

    def test_households_keep_their_children_apart(self):
        frame = frame_of(
            *["2016-03-02 10:00"] * 3, House=["a", "b", "b"], User=["Kids", "Kids", "Ann"]
        )
        plays = load(frame, columns=COLUMNS | {"account": "House"})
        assert plays["viewer"].nunique() == 3
        assert plays["account"].nunique() == 2
        assert plays.groupby("viewer", observed=True)["account"].nunique().tolist() == [1, 1, 1]

    def test_no_raw_name_reaches_the_frame(self, tmp_path):
        frame = frame_of(*["2016-03-02 10:00"] * 2, House=["Müller", "Smith"], User=["Anna", "Ben"])
        plays = load(frame, columns=COLUMNS | {"account": "House"})
        path = tmp_path / "plays.parquet"
        plays.to_parquet(path)
        for name in ("Müller", "Smith", "Anna", "Ben"):
            assert name.encode() not in path.read_bytes()
            assert name not in plays.to_csv()
        assert has_pseudonym_form(plays["viewer"].cat.categories, "viewer")
        assert has_pseudonym_form(plays["account"].cat.categories, "account")
        assert plays["viewer"].cat.categories.is_monotonic_increasing
        assert plays.attrs == {}

    def test_the_source_and_the_key_enter_the_pseudonym(self):
        frame = frame_of("2016-03-02 10:00")
        viewers = {
            load(frame)["viewer"].iloc[0],
            load(frame, source="other")["viewer"].iloc[0],
            load(frame, key=tk.DEMONSTRATION_KEY)["viewer"].iloc[0],
        }
        assert len(viewers) == 3

    def test_truth_values_and_numbers_of_other_columns(self):
        frame = frame_of(
            "2016-03-02 10:00", "2016-03-02 11:00", Auto=["TRUE", ""], Season=["2", ""]
        )
        plays = load(frame, columns=COLUMNS | {"is_autoplay": "Auto", "season": "Season"})
        assert plays["is_autoplay"].tolist() == [True, pd.NA]
        assert plays["season"].tolist() == [2, pd.NA]
        with pytest.raises(
            ValueError, match="`is_autoplay` must be true or false, found 'maybe' in row 1"
        ):
            load(
                frame_of("2016-03-02 10:00", Auto="maybe"),
                columns=COLUMNS | {"is_autoplay": "Auto"},
            )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"columns": COLUMNS | {"viewer": "Who"}}, r"`path` must have columns .*missing \['Who'\]"),
            ({"columns": {"viewer": "User"}}, r"`columns` must have columns .*missing \['title', 'started_at'\]"),
            ({"columns": COLUMNS | {"user": "User"}}, r"`columns` must map names of plays .*got \['user'\]"),
            ({"clock_tz": "Mars/Olympus"}, "`clock_tz` must be the name of a time zone such as 'Europe/Berlin', got"),
            ({"clock_tz": 3}, r"`clock_tz` must be the name of a time zone .* got 3"),
            ({"date_order": "YDM"}, "`date_order` must be one of"),
            ({"duration": "minutes"}, "`duration` must be one of"),
            ({"row_is": "seen"}, "`row_is` must be one of"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            load(frame_of("2016-03-02 10:00"), **arguments)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match=r"`path` must be a file that exists, found none at .*nowhere"
        ):
            load(tmp_path / "nowhere.csv")

    def test_an_empty_table_gives_the_same_columns(self, tmp_path):
        none = load(write(tmp_path, table([])))
        assert list(none) == list(load(write(tmp_path, table())))
        assert len(none) == 0

    def test_the_frame_given_is_unchanged(self):
        frame = frame_of(" 2016-03-02 10:00", User=" 7 ")
        before = frame.copy(deep=True)
        load(frame)
        assert_frame_equal(frame, before)

    def test_a_separator_at_the_end_of_rows_shifts_nothing(self, tmp_path):
        text = table().replace("\n7,", "\n7,", 1)
        lines = [line + "," * (n > 0) for n, line in enumerate(text.strip().split("\n"))]
        plays = load(write(tmp_path, "\n".join(lines)))
        assert_frame_equal(plays, load(write(tmp_path, text, "other.csv")))

    def test_a_row_with_more_fields_than_the_header_is_refused(self, tmp_path):
        row = "7,News,2016-03-02 10:00,0:00:10,more"
        with pytest.raises(
            ValueError, match="a table with 4 fields in each row, found more in row 3"
        ):
            load(write(tmp_path, table() + row))

    def test_what_a_short_row_lacks_is_missing(self, tmp_path):
        plays = load(write(tmp_path, table() + "7,News,2016-03-03 10:00"))
        assert plays["watched_seconds"].isna().sum() == 1
        assert plays["excluded"].isna().all()

    def test_a_stray_quote_does_not_swallow_rows(self, tmp_path):
        rows = [("7", '"Heat', "2016-03-02 10:00", "0:00:10"), ROWS[0], ("7", 'Up"', *ROWS[0][2:])]
        with pytest.raises(ValueError, match="found a quote and more in row 1"):
            load(write(tmp_path, table(rows)))

    def test_a_header_that_names_a_column_twice_is_refused(self, tmp_path):
        text = table(header=("User", "Channel", "At", "At"))
        with pytest.raises(ValueError, match=r"name each column once, found \['At'\] twice"):
            load(write(tmp_path, text))

    def test_an_empty_file_and_a_blank_first_line(self, tmp_path):
        with pytest.raises(ValueError, match=r"missing \['User', 'Channel', 'At', 'For'\]"):
            load(write(tmp_path, ""))
        assert len(load(write(tmp_path, "\n" + table(separator=";")))) == 2

    @pytest.mark.parametrize(
        ("duration", "written", "seconds"),
        [
            ("H:MM:SS", "-0:12:30", -750),
            ("H:MM:SS", pd.Timedelta(minutes=10), 600),
            ("seconds", pd.Timedelta(minutes=10), 600),
        ],
    )
    def test_signs_and_time_spans_keep_their_size(self, duration, written, seconds):
        plays = load(frame_of("2016-03-02 10:00", For=written), duration=duration)
        assert plays["watched_seconds"].tolist() == [seconds]
        assert (plays["excluded"] == "impossible duration").tolist() == [seconds < 0]

    @pytest.mark.parametrize("written", ["1:02:03:04", "1 day 02:00:00", "x0:00:10", "inf"])
    def test_a_duration_is_read_whole_or_not_at_all(self, written):
        for duration in ("H:MM:SS", "seconds"):
            with pytest.raises(ValueError, match="`watched_seconds` must be written as"):
                load(frame_of("2016-03-02 10:00", For=written), duration=duration)

    @pytest.mark.parametrize("at", ["12016-03-02 10:00", "2016-03-02 10:00 or so"])
    def test_a_time_is_read_whole_or_not_at_all(self, at):
        with pytest.raises(ValueError, match="`started_at` must be times in one style"):
            load(frame_of(at))

    @pytest.mark.parametrize(
        "at", ["0001-01-01 00:00", "9999-12-31 23:59", "1899-12-31 10:00", "2200-01-01 10:00"]
    )
    def test_a_year_that_stands_for_nothing_marks_its_row(self, at):
        plays = load(frame_of(at, "1900-01-01 10:00", "2199-12-31 10:00"))
        assert plays["excluded"].tolist() == [np.nan, np.nan, "impossible time"]
        assert plays["started_at"].isna().tolist() == [False, False, True]

    def test_an_end_before_its_start_marks_its_row(self):
        frame = frame_of("2016-03-02 10:00", "2016-03-02 11:00", End="2016-03-02 10:30")
        plays = load(frame, columns=COLUMNS | {"ended_at": "End"})
        assert plays["excluded"].tolist() == [np.nan, "impossible time"]

    @pytest.mark.parametrize("offset", ["+02", "+0200", "+02:00"])
    def test_an_offset_may_be_short(self, offset):
        plays = load(frame_of(f"2016-03-02 10:00:00{offset}"))
        assert plays["started_at"].tolist() == [pd.Timestamp("2016-03-02 08:00Z")]

    @pytest.mark.parametrize("dtype", ["str", "object", "category", "string", "string[pyarrow]"])
    def test_a_blank_is_nobody_whatever_holds_it(self, dtype):
        users = pd.Series(["ann", "", " "], dtype=dtype)
        plays = load(frame_of(*["2016-03-02 10:00"] * 3).assign(User=users))
        assert plays["viewer"].nunique() == 1
        assert tk.loss_table(plays)["n_rows"].tolist() == [2]

    def test_columns_that_arrow_holds_are_read(self):
        import pyarrow as pa

        frame = pd.DataFrame(
            {
                "User": pd.Series([7, 8], dtype=pd.ArrowDtype(pa.int64())),
                "Channel": pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.string())),
                "At": pd.Series(
                    pd.to_datetime(["2016-03-02 10:00Z"] * 2),
                    dtype=pd.ArrowDtype(pa.timestamp("us", "UTC")),
                ),
                "For": pd.Series([1.5, 2.5], dtype=pd.ArrowDtype(pa.float64())),
            }
        )
        plays = load(frame, duration="seconds", clock_tz=None)
        assert plays["watched_seconds"].sum() == 4
        plain = frame.assign(User=[7, 8], At=pd.to_datetime(["2016-03-02 10:00Z"] * 2))
        assert set(plays["viewer"]) == set(load(plain, duration="seconds")["viewer"])

    def test_an_id_is_the_same_whether_a_whole_or_a_broken_number_holds_it(self):
        ids = [load(frame_of("2016-03-02 10:00", User=u))["viewer"].iloc[0] for u in ("7", 7, 7.0)]
        assert len(set(ids)) == 1
        assert load(frame_of("2016-03-02 10:00", User="007"))["viewer"].iloc[0] != ids[0]

    def test_without_an_account_a_viewer_is_its_own(self):
        frame = frame_of(*["2016-03-02 10:00"] * 2, House=["home", None], User=["ann", "bob"])
        plays = load(frame, columns=COLUMNS | {"account": "House"})
        assert plays["excluded"].isna().all()
        alone = load(frame_of("2016-03-02 10:00", User="bob"))
        assert set(alone["viewer"]) <= set(plays["viewer"])
        assert set(alone["account"]) <= set(plays["account"])

    def test_accounts_become_pseudonyms_though_viewers_are_already(self):
        viewer = ["v_" + "a" * 16, "v_" + "b" * 16]
        frame = frame_of(*["2016-03-02 10:00"] * 2, House="home", User=viewer)
        plays = load(frame, columns=COLUMNS | {"account": "House"})
        assert plays["viewer"].tolist() == viewer
        assert plays["account"].nunique() == 1
        assert has_pseudonym_form(plays["account"], "account")

    def test_pseudonyms_without_an_account_need_no_key(self, monkeypatch):
        monkeypatch.setenv("VIEWING_KEY_FILE", "/nowhere/at.key")
        viewer = ["v_" + "a" * 16, "v_" + "b" * 16]
        plays = load(frame_of(*["2016-03-02 10:00"] * 2, User=viewer))
        assert plays["viewer"].tolist() == plays["account"].tolist() == viewer
        with pytest.raises(FileNotFoundError, match="VIEWING_KEY_FILE"):
            load(frame_of("2016-03-02 10:00"))

    def test_a_source_of_each_row_tells_equal_ids_apart(self, tmp_path):
        path = tmp_path / "plays.csv"
        path.write_text(
            "viewer,title,started_at,source\n1,a,2024-03-01T20:00Z,x\n1,a,2024-03-01T20:00Z,y\n1,a,2024-03-01T20:00Z,\n"
        )
        plays = tk.load_plays(path)
        assert plays["viewer"].nunique() == 3
        assert sorted(plays["source"]) == ["table", "x", "y"]

    def test_a_message_quotes_no_address(self):
        with pytest.raises(ValueError, match="found a text with an @ in row 1"):
            load(frame_of("ann@example.org"))

    def test_numbers_of_seasons_are_whole(self):
        frame = frame_of("2016-03-02 10:00", Season="1.0")
        assert load(frame, columns=COLUMNS | {"season": "Season"})["season"].tolist() == [1]
        for wrong in ("one", "1.5", "40000"):
            frame = frame_of("2016-03-02 10:00", Season=wrong)
            with pytest.raises(ValueError, match="`season` must be a whole number, found"):
                load(frame, columns=COLUMNS | {"season": "Season"})

    def test_the_real_log_keeps_all_its_rows(self, brighttv):
        columns = {
            "viewer": "UserID",
            "title": "Channel2",
            "started_at": "RecordDate2",
            "watched_seconds": "Duration2",
        }
        plays = tk.load_table(brighttv, columns=columns, clock_tz="UTC", duration="H:MM:SS")
        assert len(plays) == 10_000
        assert len(tk.loss_table(plays)) == 0
        assert (plays["watched_seconds"] == 0).sum() == 855
        assert plays["viewer"].nunique() == 4386


class TestLoadPlays:
    @pytest.mark.parametrize("name", ["plays.parquet", "plays.csv"])
    def test_what_was_saved_comes_back(self, tmp_path, name):
        plays = (
            tk.load_sample().groupby("viewer", observed=True).head(2)[:500].reset_index(drop=True)
        )
        path = tmp_path / name
        plays.to_parquet(path) if name.endswith("parquet") else plays.to_csv(path, index=False)
        again = tk.load_plays(path)
        assert tk.fingerprint(again) == tk.fingerprint(plays)

    def test_raw_ids_become_pseudonyms(self, tmp_path):
        path = tmp_path / "plays.csv"
        path.write_text("viewer,title,started_at\nAnn,Heat,2024-03-01T20:00:00Z\n")
        plays = tk.load_plays(path)
        assert has_pseudonym_form(plays["viewer"], "viewer")

    def test_another_table_is_refused(self, tmp_path):
        path = tmp_path / "plays.csv"
        path.write_text("who,what\nAnn,Heat\n")
        with pytest.raises(
            ValueError, match=r"`path` must hold an export of .*`load_table` reads any"
        ):
            tk.load_plays(path)


class TestLoadDataset:
    def describe(self, tmp_path, **fields):
        write(tmp_path, table())
        fields = {
            "path": '"log.csv"', "clock_tz": '"UTC"', "duration": '"H:MM:SS"', "tz": '"UTC"',
            "as_of": "2016-03-02", "title": '"News"', "days": "2",
        } | fields  # fmt: skip
        lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
        lines += ["[columns]", *(f'{ours} = "{theirs}"' for ours, theirs in COLUMNS.items())]
        path = tmp_path / "mine.toml"
        path.write_text("\n".join(lines))
        return path

    def test_says_where_the_log_lies_how_to_read_it_and_what_to_ask(self, tmp_path):
        data = tk.load_dataset(self.describe(tmp_path, observed_from="2016-03-01"))
        assert_frame_equal(data.plays, load(tmp_path / "log.csv"))
        assert data.viewers is None
        assert data.titles is None
        assert data.ask._asdict() == {
            "name": "mine", "is_simulated": False, "title": "News", "days": 2,
            "as_of": pd.Timestamp("2016-03-02"), "observed_from": pd.Timestamp("2016-03-01"),
            "tz": "UTC", "day_starts_at": "00:00",
        }  # fmt: skip

    def test_viewers_get_the_same_pseudonyms_and_lend_plays_their_zone(self, tmp_path):
        write(
            tmp_path,
            "viewer,tz,as_of,is_kids,log_ends_at\n7,Asia/Tokyo,2016-03-02,True,2016-03-03T10:00Z\n6,UTC,2016-03-02,False,\n",
            "viewers.csv",
        )
        plays, viewers, _, _ = tk.load_dataset(
            self.describe(tmp_path, viewers='"viewers.csv"', tz='"tz"')
        )
        assert set(viewers["viewer"]) == set(plays["viewer"])
        assert viewers["is_kids"].tolist() == [True, False]
        assert viewers["log_ends_at"].tolist() == [pd.Timestamp("2016-03-03 10:00Z"), pd.NaT]
        tokyo = viewers.loc[viewers["tz"] == "Asia/Tokyo", "viewer"].iloc[0]
        assert plays.loc[plays["viewer"] == tokyo, "tz"].tolist() == ["Asia/Tokyo"]
        streaks = tk.find_streaks(tk.to_viewer_days(plays, tz="tz"), viewers=viewers)
        assert streaks["n_days"].tolist() == [1, 1]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"as_of": None}, r"mine\.toml must have the fields .*missing \['as_of'\]"),
            ({"asof": "2016-03-02"}, r"mine\.toml must have no fields but .*found \['asof'\]"),
            ({"title": '"Newz"'}, "`title` must be one of the log's titles, got 'Newz'"),
            ({"clock_tz": None}, "`clock_tz` must say which zone"),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(self, tmp_path, fields, message):
        with pytest.raises(ValueError, match=message):
            tk.load_dataset(self.describe(tmp_path, **fields))

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"days": '"2"'}, "`days` must be a whole number, 1 or more, got '2'"),
            ({"days": "0"}, "`days` must be a whole number, 1 or more, got 0"),
            ({"as_of": "20160302"}, "`as_of` must be a day such as 2017-12-10, got 20160302"),
            ({"as_of": '"02/03/2016"'}, "`as_of` must be a day"),
            ({"observed_from": "2016-03-01T10:00:00"}, "`observed_from` must be a day"),
            ({"tz": "3"}, r"`tz` must be text in mine\.toml, got 3"),
            ({"simulated": '"no"'}, r"`simulated` must be true or false in mine\.toml, got 'no'"),
        ],
    )
    def test_what_is_asked_is_checked_before_anything_is_read(self, tmp_path, fields, message):
        with pytest.raises(ValueError, match=message):
            tk.load_dataset(self.describe(tmp_path, **fields, path='"nowhere.csv"'))

    def test_accounts_that_only_viewers_know_reach_the_plays_and_the_other_way_round(
        self, tmp_path
    ):
        write(tmp_path, "viewer,account\n 7 ,home\n6,home\n", "viewers.csv")
        plays, viewers, _, _ = tk.load_dataset(self.describe(tmp_path, viewers='"viewers.csv"'))
        assert set(viewers["viewer"]) == set(plays["viewer"])
        assert plays["account"].nunique() == viewers["account"].nunique() == 1

        path = self.describe(tmp_path, viewers='"viewers.csv"')
        write(tmp_path, "viewer\n7\n6\n", "viewers.csv")
        log = (tmp_path / "log.csv").read_text().split("\n")
        with_house = [
            line + ("," + ("House" if n == 0 else "home") if line else "")
            for n, line in enumerate(log)
        ]
        (tmp_path / "log.csv").write_text("\n".join(with_house))
        path.write_text(path.read_text() + '\naccount = "House"')
        again = tk.load_dataset(path)
        assert_frame_equal(again.plays, plays, check_categorical=False)
        assert set(again.viewers["viewer"]) == set(again.plays["viewer"])

    def test_a_viewer_without_a_row_is_counted(self, tmp_path):
        write(tmp_path, "viewer\n7\n", "viewers.csv")
        with pytest.raises(
            ValueError, match="a row for every viewer of the log; 1 of 2 are missing"
        ):
            tk.load_dataset(self.describe(tmp_path, viewers='"viewers.csv"'))

    def test_days_and_instants_of_viewers_are_never_guessed(self, tmp_path):
        for name, value, message in (
            ("as_of", "02/03/2016", "`as_of` must be a day such as"),
            ("log_ends_at", "2016-03-03 10:00", "`clock_tz` must say which zone"),
        ):
            write(tmp_path, f"viewer,{name}\n7,{value}\n6,{value}\n", "viewers.csv")
            with pytest.raises(ValueError, match=message):
                tk.load_dataset(self.describe(tmp_path, viewers='"viewers.csv"', clock_tz=None))

    def test_files_that_are_not_there_are_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
            tk.load_dataset(tmp_path / "nowhere.toml")
        with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
            tk.load_dataset(self.describe(tmp_path, path='"nowhere.csv"'))

    def test_the_sample_is_described_like_any_other_log(self):
        plays, viewers, titles, ask = tk.load_dataset("sample")
        assert ask.is_simulated
        assert set(plays["viewer"].cat.categories) <= set(viewers["viewer"])
        assert set(plays["title"].cat.categories) <= set(titles["title"])
        assert_frame_equal(tk.load_sample(), plays)


class TestLoadDatasetOfExports:
    HISTORY = 'Title,Date\n"Heat","3/14/24"\n"Up","3/13/24"\n'
    DESCRIPTION = 'path = "list.csv"\ntz = "UTC"\nas_of = 2024-03-20\ntitle = "Heat"\ndays = 2\n'

    def describe(self, tmp_path, more="", history=HISTORY):
        (tmp_path / "list.csv").write_text(history)
        return write(tmp_path, self.DESCRIPTION + more, "mine.toml")

    def test_an_export_needs_no_columns(self, tmp_path):
        plays, viewers, titles, ask = tk.load_dataset(self.describe(tmp_path))
        assert plays["source"].tolist() == ["netflix_history"] * 2
        assert (viewers, titles, ask.title) == (None, None, "Heat")

    def test_what_only_columns_need_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"must have `columns` to go with \['duration'\]"):
            tk.load_dataset(self.describe(tmp_path, 'duration = "seconds"\n'))

    def test_the_order_of_its_dates_may_be_said(self, tmp_path):
        path = self.describe(tmp_path, 'date_order = "DMY"\n', 'Title,Date\n"Heat","3/4/24"\n')
        assert tk.load_dataset(path).plays["started_at"].dt.month.tolist() == [4]

    def test_the_title_is_one_of_it(self, tmp_path):
        with pytest.raises(ValueError, match="`title` must be one of the log's titles"):
            tk.load_dataset(self.describe(tmp_path, history='Title,Date\n"Up","3/13/24"\n'))

    def test_profiles_of_a_folder_stand_in_a_table_beside_the_description(self, tmp_path):
        folder = tmp_path / "donations"
        folder.mkdir()
        (folder / "a.csv").write_text(self.HISTORY)
        (tmp_path / "who.csv").write_text("export,profile\na.csv,all\n")
        text = self.DESCRIPTION.replace("list.csv", "donations") + 'profile = "who.csv"\n'
        assert len(tk.load_dataset(write(tmp_path, text, "mine.toml")).plays) == 2


class TestWrittenSeconds:
    @pytest.mark.parametrize(
        ("cells", "seconds"),
        [
            (["00:00:00", "01:02:03", "99:59:59"], [0, 3723, 359_999]),
            (["00:00:07", "1:00:00", "", "-1"], [7, 3600, np.nan, np.nan]),
            ([], []),
        ],
    )
    def test_are_read_at_once_or_with_care(self, cells, seconds):
        found = written_seconds(pa.array(cells, pa.string()), "Duration", "x.csv")
        np.testing.assert_array_equal(found, seconds)

    def test_of_a_part_of_a_column_are_those_of_its_rows(self):
        cells = pa.array(["00:00:01", "00:00:02", "00:00:03"], pa.string())[1:]
        assert written_seconds(cells, "Duration", "x.csv").tolist() == [2, 3]

    @pytest.mark.parametrize(
        "cell", ["00:60:00", "00:00:60", "0a:00:00", "00-00-00", "00:00:0/", "00:00:0:"]
    )
    def test_that_are_none_are_refused_with_their_row(self, cell):
        with pytest.raises(
            ValueError, match=r"`Duration` must be written as H:MM:SS.* row 2 of x.csv"
        ):
            written_seconds(pa.array(["00:00:01", cell], pa.string()), "Duration", "x.csv")
