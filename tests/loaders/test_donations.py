"""Folders of donations: whose is what, what is refused, and what is said of it."""

import io
import sys
import zipfile

import pandas as pd
import pytest

import toolkit as tk
from toolkit.privacy.keys import DEMONSTRATION_KEY, has_pseudonym_form

HEADER = (
    "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,"
    "Device Type,Bookmark,Latest Bookmark,Country\n"
)
HISTORY = 'Title,Date\n"Heat","3/14/24"\n"Up","3/13/24"\n'


def activity(*rows):
    """A viewing activity of (profile, start, duration, title) rows."""
    lines = [
        f"{profile},{start},{lasted},,{title},,Chrome PC (Cadmium),{lasted},{lasted},NL (Netherlands)\n"
        for profile, start, lasted, title in rows
    ]
    return HEADER + "".join(lines)


ANN = activity(
    ("Ann", "2024-03-02 20:00:00", "01:00:00", "Heat"),
    ("Ann", "2024-03-01 20:00:00", "00:30:00", "Up"),
)
BOB = activity(("Bob", "2024-03-02 20:00:00", "01:00:00", "Heat"))
FAMILY = activity(
    ("Cleo", "2024-03-02 20:00:00", "01:00:00", "Heat"),
    ("Kids", "2024-03-02 21:00:00", "01:00:00", "Up"),
    ("Kids", "2024-03-01 21:00:00", "01:00:00", "Up"),
)


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "donations"
    folder.mkdir()
    return folder


def put(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("_dot_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(path, **options):
    """Load, and return the plays and the report."""
    reports = []
    plays = tk.load_plays(
        path, key=DEMONSTRATION_KEY, progress=False, report=reports.append, **options
    )
    return plays, reports[0].set_index("export")


class TestAccounts:
    def test_each_file_zip_and_subfolder_is_one(self, folder):
        put(
            folder,
            ann_dot_csv=ANN,
            bob_dot_zip=zipped({"CONTENT_INTERACTION/ViewingActivity.csv": BOB}),
        )
        (folder / "cleo").mkdir()
        (folder / "cleo" / "NetflixViewingHistory.csv").write_text(HISTORY)
        plays, report = load(folder)
        assert plays["account"].nunique() == plays["viewer"].nunique() == 3
        assert report["outcome"].to_dict() == dict.fromkeys(["ann.csv", "bob.zip", "cleo"], "read")
        assert report["source"].tolist() == ["netflix", "netflix", "netflix_history"]
        assert report["n_rows"].tolist() == [2, 1, 2]
        assert len(plays) == 5

    def test_equal_profile_names_of_two_households_are_two_viewers(self, folder):
        put(folder, a_dot_csv=BOB, b_dot_csv=BOB.replace("Heat", "Up"))
        plays, _ = load(folder)
        assert plays["viewer"].nunique() == plays["account"].nunique() == 2

    def test_two_sources_of_one_person_are_two_viewers_of_one_account(self, folder):
        (folder / "ann").mkdir()
        (folder / "ann" / "ViewingActivity.csv").write_text(ANN)
        (folder / "ann" / "NetflixViewingHistory.csv").write_text(HISTORY)
        plays, _ = load(folder)
        assert plays["account"].nunique() == 1
        assert plays["viewer"].nunique() == 2
        assert plays.groupby("source", observed=True).size().to_dict() == {
            "netflix": 2,
            "netflix_history": 2,
        }

    def test_are_pseudonyms_and_no_name_is_in_the_table(self, folder):
        put(folder, secret_name_dot_csv=ANN)
        plays, _ = load(folder)
        assert has_pseudonym_form(plays["viewer"].cat.categories, "viewer")
        assert has_pseudonym_form(plays["account"].cat.categories, "account")
        text = plays.to_csv()
        assert "Ann" not in text
        assert "secret" not in text

    def test_stay_the_same_when_another_donation_comes_in(self, folder):
        put(folder, bob_dot_csv=BOB)
        alone, _ = load(folder)
        put(folder, ann_dot_csv=ANN)
        both, _ = load(folder)
        assert set(alone["account"]) < set(both["account"])
        assert set(alone["viewer"]) < set(both["viewer"])

    def test_parts_of_one_takeout_are_one_and_numbered_donors_are_not(self, folder):
        videos = '[{"header":"YouTube","title":"Watched Cats","titleUrl":"https://www.youtube.com/watch?v=AAAAAAAAAAA","time":"2024-03-02T20:00:00Z"}]'
        other = videos.replace("AAAAAAAAAAA", "BBBBBBBBBBB")
        first = zipped({"Takeout/YouTube and YouTube Music/history/watch-history.json": videos})
        second = zipped({"Takeout/My Activity/YouTube/MyActivity.json": other})
        (folder / "takeout-20240302T200000Z-001.zip").write_bytes(first)
        (folder / "takeout-20240302T200000Z-002.zip").write_bytes(second)
        (folder / "donor-001.zip").write_bytes(zipped({"a.json": videos}))
        (folder / "donor-002.zip").write_bytes(zipped({"b.json": other}))
        plays, report = load(folder)
        assert report.index.tolist() == [
            "donor-001.zip",
            "donor-002.zip",
            "takeout-20240302T200000Z",
        ]
        assert plays["account"].nunique() == 3

    @pytest.mark.parametrize(
        "inside",
        ["CONTENT_INTERACTION/ViewingActivity.csv", "4711/CONTENT_INTERACTION/ViewingActivity.csv"],
    )
    def test_an_unpacked_export_is_one_and_gives_every_profile(self, folder, inside):
        (folder / inside).parent.mkdir(parents=True)
        (folder / inside).write_text(FAMILY)
        plays = tk.load_plays(folder, key=DEMONSTRATION_KEY, progress=False)
        assert plays["account"].nunique() == 1
        assert plays["viewer"].nunique() == 2

    def test_clutter_is_no_donation(self, folder):
        put(folder, ann_dot_csv=ANN, _dot_DS_Store=b"\0\0", Thumbs_dot_db=b"\0")
        _, report = load(folder)
        assert report.index.tolist() == ["ann.csv"]


class TestUnpacked:
    """A folder is one export only if all that lies in it belongs to one."""

    DIARY = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date\n2024-03-02,Heat,1995,https://boxd.it/x1,,,,2024-03-01\n"
    WATCHED = "Date,Name,Year,Letterboxd URI\n2024-03-02,Heat,1995,https://boxd.it/f1\n"
    SONGS = '[{"endTime":"2024-03-02 20:00","artistName":"A","trackName":"B","msPlayed":60000}]'

    def test_a_diary_beside_other_donations_is_one_of_them(self, folder):
        put(folder, diary_dot_csv=self.DIARY, ann_dot_csv=ANN, family_dot_csv=FAMILY)
        plays, report = load(folder)
        assert report.index.tolist() == ["ann.csv", "diary.csv", "family.csv"]
        assert report["outcome"].tolist() == ["read", "read", "refused"]
        assert plays["account"].nunique() == 2

    def test_a_diary_among_its_own_files_is_one_export_and_that_is_said(self, folder):
        put(folder, diary_dot_csv=self.DIARY, watched_dot_csv=self.WATCHED)
        plays, report = load(folder)
        assert report.index.tolist() == ["donations"]
        assert report["note"].tolist() == ["The folder was read as one unpacked export."]
        assert plays["source"].tolist() == ["letterboxd"]

    def test_songs_beside_other_donations_are_one_of_them(self, folder):
        put(folder, StreamingHistory_music_0_dot_json=self.SONGS, bob_dot_csv=BOB)
        assert load(folder)[0]["account"].nunique() == 2

    def test_a_folder_of_peoples_videos_is_no_takeout(self, folder):
        (folder / "YouTube donors").mkdir()
        for n in range(3):
            (folder / "YouTube donors" / f"{n}.json").write_text(self.videos(f"{n}AAAAAAAAAA"))
        plays, report = load(folder / "YouTube donors")
        assert plays["account"].nunique() == len(report) == 3

    @pytest.mark.parametrize("top", ["Takeout/", ""])
    def test_an_unpacked_takeout_is_one_export(self, folder, top):
        path = folder / f"{top}YouTube and YouTube Music/history/watch-history.json"
        path.parent.mkdir(parents=True)
        path.write_text(self.videos("AAAAAAAAAAA"))
        assert load(folder)[1].index.tolist() == ["donations"]

    def videos(self, key):
        return f'[{{"header":"YouTube","title":"Watched Cats","titleUrl":"https://www.youtube.com/watch?v={key}","time":"2024-03-02T20:00:00Z"}}]'

    def test_a_damaged_log_among_sound_ones_is_noted(self, folder):
        (folder / "ann").mkdir()
        put(
            folder / "ann",
            StreamingHistory_music_0_dot_json=self.SONGS,
            StreamingHistory_music_1_dot_json="",
        )
        _, report = load(folder)
        assert (
            report.loc["ann", "note"]
            == "Files that have the name of a log but don't read as one: 1."
        )

    def test_what_was_not_asked_for_is_not_noted(self, folder):
        (folder / "ann").mkdir()
        put(folder / "ann", ViewingActivity_dot_csv=ANN, watch_history_dot_json=self.videos("A"))
        (folder / "ann" / "watch_history.json").rename(folder / "ann" / "watch-history.json")
        _, report = load(folder, source="netflix")
        assert report["note"].tolist() == [""]

    def test_a_key_that_is_none_is_refused_before_anything_is_read(self, folder, capsys):
        put(folder, ann_dot_csv=ANN)
        with pytest.raises(ValueError, match="`key` must be 32 bytes"):
            tk.load_plays(folder, key=b"short", progress=False)
        assert capsys.readouterr().out == ""

    def test_a_log_of_a_database_goes_with_it(self, folder):
        put(folder, x_dot_db=b"SQLite", ann_dot_csv=ANN)
        (folder / "x.db-wal").write_bytes(b"log")
        assert load(folder)[1].index.tolist() == ["ann.csv", "x.db"]


class TestNames:
    def test_the_folder_of_the_process_has_its_own_name(self, folder, monkeypatch):
        put(folder, family_dot_csv=FAMILY, ann_dot_csv=ANN)
        monkeypatch.chdir(folder)
        here, _ = load(".")
        assert folder.with_name("donations-profiles.csv").exists()
        assert here["account"].tolist() == load(folder)[0]["account"].tolist()

    @pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
    def test_names_that_are_no_text_are_read(self, folder):
        with open(folder.as_posix().encode() + b"/J\xe9.csv", "wb") as file:
            file.write(ANN.encode())
        _, report = load(folder)
        assert report.index.tolist() == ["J\\xe9.csv"]
        assert report["n_rows"].tolist() == [2]

    def test_composed_and_decomposed_names_are_the_same(self, folder):
        put(folder, **{"Jo\u00e9_dot_csv": FAMILY})
        composed, _ = load(folder, profile={"Jo\u00e9.csv": "Kids"})
        (folder / "Jo\u00e9.csv").rename(folder / "Joe\u0301.csv")
        decomposed, _ = load(folder, profile={"Jo\u00e9.csv": "Kids"})
        assert decomposed["account"].tolist() == composed["account"].tolist()

    def test_a_clock_is_one_that_exists(self, folder):
        put(folder, ann_dot_csv=ANN)
        with pytest.raises(ValueError, match="`clock_tz` must be the name of a time zone"):
            load(folder, clock_tz="Europe/Nowhere")


class TestProfiles:
    def test_several_are_refused_in_a_folder_until_one_is_named(self, folder):
        put(folder, ann_dot_csv=ANN, family_dot_csv=FAMILY)
        plays, report = load(folder)
        assert len(plays) == 2
        assert report.loc["family.csv", "outcome"] == "refused"
        assert (
            "`profile` must say which profile consents, found 2" in report.loc["family.csv", "note"]
        )

    def test_the_refusal_leaves_a_table_to_fill_in_that_names_nobody(self, folder):
        put(folder, ann_dot_csv=ANN, family_dot_csv=FAMILY)
        _, report = load(folder)
        template = folder.with_name("donations-profiles.csv")
        assert template.read_text() == 'export,profile\n"family.csv",""\n'
        assert template.name in report.loc["family.csv", "note"]
        template.write_text("export,profile\nfamily.csv,Kids\n")
        plays, report = load(folder, profile=template)
        assert report["outcome"].tolist() == ["read", "read"]
        assert len(plays) == 4

    def test_what_was_filled_in_stays_when_another_is_refused(self, folder):
        put(folder, family_dot_csv=FAMILY, ann_dot_csv=ANN)
        template = folder.with_name("donations-profiles.csv")
        load(folder)
        template.write_text("export,profile\nfamily.csv,Kids\n")
        put(folder, second_dot_csv=FAMILY.replace("Heat", "Alien"))
        load(folder, profile=template)
        assert template.read_text() == 'export,profile\nfamily.csv,Kids\n"second.csv",""\n'
        load(folder, profile=str(template))
        assert template.read_text() == 'export,profile\nfamily.csv,Kids\n"second.csv",""\n'

    def test_a_table_of_another_form_is_left_as_it_is(self, folder):
        put(folder, family_dot_csv=FAMILY, ann_dot_csv=ANN)
        template = folder.with_name("donations-profiles.csv")
        template.write_text("profile;export\nKids;family.csv")
        _, report = load(folder)
        assert template.read_text() == "profile;export\nKids;family.csv"
        assert "Fill in" not in report.loc["family.csv", "note"]

    def test_a_line_without_an_end_is_ended_first(self, folder):
        put(folder, family_dot_csv=FAMILY, ann_dot_csv=ANN)
        template = folder.with_name("donations-profiles.csv")
        template.write_text("export,profile\nother.csv,Kids")
        load(folder)
        assert template.read_text() == 'export,profile\nother.csv,Kids\n"family.csv",""\n'

    def test_a_name_as_it_is_written_goes_before_one_in_another_case(self, folder):
        both = FAMILY + FAMILY.split("\n")[1].replace("Cleo", "kids") + "\n"
        put(folder, family_dot_csv=both)
        assert load(folder, profile="kids")[0]["title"].tolist() == ["Heat"]
        with pytest.raises(ValueError, match="`profile` must be one profile as it is written"):
            load(folder, profile="KIDS")

    def test_all_is_no_answer_where_a_profile_is_called_so(self, folder):
        put(folder, family_dot_csv=FAMILY.replace("Kids", "All"))
        with pytest.raises(ValueError, match="`profile` must be a name here"):
            load(folder, profile="all")

    @pytest.mark.parametrize("profile", [3, {"family.csv": 3}, ["Kids"]])
    def test_anything_else_is_refused_in_a_sentence(self, folder, profile):
        put(folder, family_dot_csv=FAMILY)
        with pytest.raises(ValueError, match="`profile` must be a name, 'all', a CSV file"):
            load(folder, profile=profile)

    @pytest.mark.parametrize("profile", ["Kids", " kids ", {"family.csv": "Kids"}])
    def test_only_the_named_one_is_read(self, folder, profile):
        put(folder, family_dot_csv=FAMILY)
        plays, report = load(folder, profile=profile)
        assert plays["title"].tolist() == ["Up", "Up"]
        assert report["n_rows"].tolist() == [2]
        assert not folder.with_name("donations-profiles.csv").exists()

    @pytest.mark.parametrize("profile", ["all", {"family.csv": "all"}])
    def test_all_may_be_read_where_that_is_said(self, folder, profile):
        put(folder, family_dot_csv=FAMILY)
        plays, _ = load(folder, profile=profile)
        assert plays["viewer"].nunique() == 2
        assert plays["account"].nunique() == 1

    def test_a_profile_has_the_same_pseudonym_alone_and_with_the_others(self, folder):
        put(folder, family_dot_csv=FAMILY)
        every, _ = load(folder, profile="all")
        one, _ = load(folder, profile="Kids")
        assert set(one["viewer"]) < set(every["viewer"])

    def test_a_name_that_no_profile_has_is_refused_without_naming_them(self, folder):
        put(folder, family_dot_csv=FAMILY)
        with pytest.raises(ValueError, match="`profile` must be one of the export's 2") as error:
            load(folder, profile="Dora")
        assert "Kids" not in str(error.value)

    def test_a_mapping_names_exports_of_the_folder(self, folder):
        put(folder, family_dot_csv=FAMILY)
        with pytest.raises(ValueError, match=r"`profile` must name exports .*found 'famly.csv'"):
            load(folder, profile={"famly.csv": "Kids"})

    def test_a_table_that_names_an_export_twice_is_refused(self, folder, tmp_path):
        put(folder, family_dot_csv=FAMILY)
        path = tmp_path / "who.csv"
        path.write_text("export,profile\nfamily.csv,Kids\nfamily.csv,Cleo\n")
        with pytest.raises(ValueError, match=r"once, found 'family.csv' twice"):
            load(folder, profile=path)

    def test_a_single_export_gives_every_profile_or_the_one_asked_for(self, folder):
        put(folder, family_dot_csv=FAMILY)
        every = tk.load_plays(folder / "family.csv", key=DEMONSTRATION_KEY)
        one = tk.load_plays(folder / "family.csv", key=DEMONSTRATION_KEY, profile="Cleo")
        assert (len(every), len(one)) == (3, 1)
        assert set(one["viewer"]) < set(every["viewer"])


class TestRefusals:
    def test_one_unreadable_donation_does_not_sink_the_rest(self, folder):
        put(folder, ann_dot_csv=ANN, broken_dot_zip=b"PK\3\4 and no more", notes_dot_txt="hello")
        plays, report = load(folder)
        assert len(plays) == 2
        assert report["outcome"].tolist() == ["read", "refused", "refused"]
        assert report.loc[["broken.zip", "notes.txt"], "note"].str.startswith("`path` must").all()
        assert report.loc["notes.txt", ["n_rows", "n_used"]].tolist() == [0, 0]

    def test_a_folder_of_which_nothing_can_be_read_raises_with_the_first_reason(self, folder):
        put(folder, notes_dot_txt="hello")
        with pytest.raises(
            ValueError, match=r"found 1 in donations, none of them readable: `path`"
        ):
            load(folder)

    def test_an_empty_folder_raises(self, folder):
        with pytest.raises(ValueError, match="found 0 in donations"):
            load(folder)

    def test_a_path_that_is_not_there_raises(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="`path` must be a file or folder"):
            tk.load_plays(tmp_path / "nothing")

    def test_an_unknown_source_raises(self, folder):
        put(folder, ann_dot_csv=ANN)
        with pytest.raises(ValueError, match="`source` must be one of"):
            load(folder, source="disney")

    def test_a_source_that_is_named_is_the_only_one_read(self, folder):
        (folder / "ann").mkdir()
        (folder / "ann" / "ViewingActivity.csv").write_text(ANN)
        (folder / "ann" / "NetflixViewingHistory.csv").write_text(HISTORY)
        plays, _ = load(folder, source="netflix_history")
        assert plays["source"].unique().tolist() == ["netflix_history"]

    def test_an_ambiguous_date_is_refused_until_its_order_is_said(self, folder):
        put(folder, x_dot_csv='Title,Date\n"Heat","03/04/2024"\n', ann_dot_csv=ANN)
        _, report = load(folder)
        assert "date_order" in report.loc["x.csv", "note"]
        plays, _ = load(folder, date_order="DMY")
        assert pd.Timestamp("2024-04-03", tz="UTC") in set(plays["started_at"])


class TestRepeated:
    def test_the_same_export_twice_is_recognised_and_counts_once(self, folder):
        data = zipped({"CONTENT_INTERACTION/ViewingActivity.csv": ANN})
        put(folder, ann_dot_zip=data, other_dot_csv=ANN)
        plays, report = load(folder)
        assert len(plays) == 4
        assert report["outcome"].tolist() == ["read", "repeated"]
        assert report["n_used"].tolist() == [2, 0]
        assert report.loc["other.csv", "note"] == "The same export as ann.zip."
        assert tk.loss_table(plays)["reason"].tolist() == ["duplicate"]

    @pytest.mark.parametrize("again", [ANN.replace("\n", "\r\n"), "\ufeff" + ANN])
    def test_whatever_holds_it(self, folder, again):
        listed = "Profile Name,Maturity Level\nAnn,ADULTS\n"
        first = zipped(
            {"CONTENT_INTERACTION/ViewingActivity.csv": ANN, "PROFILES/Profiles.csv": listed}
        )
        put(folder, ann_dot_zip=first, other_dot_csv=again)
        assert load(folder)[1]["outcome"].tolist() == ["read", "repeated"]

    def test_exports_without_plays_are_nobodys_twice(self, folder):
        put(folder, ann_dot_csv=HEADER, bob_dot_csv=HEADER, cleo_dot_csv=ANN)
        assert load(folder)[1]["outcome"].tolist() == ["read"] * 3

    def test_another_profile_of_the_same_file_does_count(self, folder):
        put(folder, one_dot_csv=FAMILY, two_dot_csv=FAMILY)
        plays, report = load(folder, profile={"one.csv": "Cleo", "two.csv": "Kids"})
        assert report["outcome"].tolist() == ["read", "read"]
        assert plays["excluded"].isna().all()


class TestPlays:
    def test_are_a_table_in_canonical_order(self, folder):
        put(folder, ann_dot_csv=ANN, bob_dot_csv=BOB, cleo_dot_csv=HISTORY)
        plays, _ = load(folder)
        expected = plays.sort_values(["viewer", "title", "started_at"], ignore_index=True)
        pd.testing.assert_frame_equal(plays, expected)
        assert list(plays)[:4] == ["viewer", "account", "title", "started_at"]

    def test_overlapping_ones_of_a_viewer_are_flagged(self, folder):
        rows = [
            ("Ann", "2024-03-01 20:00:00", "01:00:00", "Heat"),
            ("Ann", "2024-03-01 20:59:59", "00:10:00", "Up"),
            ("Ann", "2024-03-01 21:09:59", "00:10:00", "Alien"),
            ("Bob", "2024-03-01 20:30:00", "00:10:00", "Up"),
        ]
        put(folder, a_dot_csv=activity(*rows))
        plays, _ = load(folder, profile="all")
        flags = plays.set_index("title")["is_overlapping"]
        assert not flags["Alien"]
        assert flags["Up"].tolist().count(True) == 1
        assert flags["Up"].tolist().count(False) == 1
        assert not flags["Heat"]

    def test_one_odd_date_among_many_people_sinks_nothing(self, folder):
        rows = [(f"p{n}", "2024-03-01 20:00:00", "01:00:00", "Heat") for n in range(1100)]
        odd = [
            ("p1", "1900-01-01 00:00:00", "01:00:00", "Up"),
            ("p2", "2199-12-31 00:00:00", "01:00:00", "Up"),
        ]
        put(folder, a_dot_csv=activity(*rows, *odd))
        plays, _ = load(folder, profile="all")
        assert len(plays) == 1102
        assert not plays["is_overlapping"].any()

    def test_whether_plays_without_seconds_overlap_is_unknown(self, folder):
        put(folder, a_dot_csv=HISTORY)
        plays, _ = load(folder)
        assert plays["is_overlapping"].isna().all()

    def test_a_simple_history_is_refused_by_streaks_with_the_way_out(self, folder):
        put(folder, a_dot_csv=HISTORY)
        plays, _ = load(folder)
        with pytest.raises(
            ValueError, match=r"netflix_history.*ask the service|netflix_history.*full export"
        ):
            tk.to_viewer_days(plays, tz="UTC")


class TestReport:
    def test_is_printed_for_a_folder(self, folder, capsys):
        put(folder, ann_dot_csv=ANN, notes_dot_txt="hello")
        tk.load_plays(folder, key=DEMONSTRATION_KEY, progress=False)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "2 exports: 1 read, 1 refused; 2 plays, 0 set aside."
        assert lines[1].startswith("notes.txt: refused: `path` must hold an export")

    def test_is_not_printed_for_one_export_without_notes(self, folder, capsys):
        put(folder, bob_dot_csv=BOB)
        tk.load_plays(folder / "bob.csv", key=DEMONSTRATION_KEY)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
    def test_a_bar_is_shown_at_once_only_if_asked_for(self, folder, capsys, progress, shown):
        put(folder, bob_dot_csv=BOB)
        tk.load_plays(folder, key=DEMONSTRATION_KEY, progress=progress, report=lambda table: None)
        assert ("exports" in capsys.readouterr().err) == shown


class TestSources:
    def test_say_of_each_what_a_row_is_and_what_it_cannot_say(self):
        table = tk.sources()
        assert table["source"].is_unique
        assert (table.map(len) > 0).all(axis=None)
        assert {"netflix", "netflix_history", "youtube", "spotify"} <= set(table["source"])
