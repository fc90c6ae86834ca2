import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
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
            ({"clock_tz": "Mars/Olympus"}, "`tz` must be the name of a time zone"),
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
        with pytest.raises(ValueError, match=r"missing \['viewer', 'title', 'started_at'\]"):
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
