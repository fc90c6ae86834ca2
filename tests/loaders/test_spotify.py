import json

import numpy as np
import pandas as pd
import pytest

from tests.exports.spotify import (
    MARCH,
    as_json,
    basic_export,
    chapter,
    endsong_export,
    episode,
    extended_export,
    heard,
    old_basic_export,
    play,
    podcast_heard,
    track,
)  # fmt: skip
from tests.loaders.mutations import changed_json, check_mutations
from tests.loaders.reading import finished
from toolkit.loaders import spotify
from toolkit.loaders.archive import as_file
from toolkit.loaders.spotify import recognises

AT = "2024-03-05T20:03:20Z"


def files_of(export):
    files = [as_file(name, data) for name, data in export.items()]
    return [file for file in files if recognises(file)]


def read_rows(*rows, name="Streaming_History_Audio_2024_0.json"):
    return finished(spotify, [as_file(name, as_json([*rows]))])


def plays_of(*rows, **known):
    return read_rows(*rows, **known)[0]


def reasons(plays):
    return [None if pd.isna(reason) else reason for reason in plays["excluded"]]


class TestRecognises:
    def test_of_each_export_only_histories_are_told(self):
        names = [
            file.name.rpartition("/")[2]
            for export in (extended_export(), basic_export(), old_basic_export(), endsong_export())
            for file in files_of(export)
        ]
        assert names == [
            "Streaming_History_Audio_2024_0.json", "Streaming_History_Audio_2024_1.json",
            "Streaming_History_Video_2024.json", "StreamingHistory_music_0.json",
            "StreamingHistory_podcast_0.json", "StreamingHistory0.json", "endsong_0.json",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "data",
        [b"", b"[", b"[]", b"\xff\xfe[", b'{"ts": 1, "ms_played": 2}', b'[{"ts": 1}]',
         b'[{"endTime": 1, "ms_played": 2}]'],
    )  # fmt: skip
    def test_other_bytes_are_not_whatever_their_name_and_none_raise(self, data):
        assert not recognises(as_file("Streaming_History_Audio_2024.json", data))

    def test_a_subset_of_keys_is_enough(self):
        assert recognises(as_file("donation.json", b' [{"ms_played":1,"ts":null}]'))


class TestRead:
    def test_a_time_is_the_end_of_a_play_and_its_start_is_earlier(self):
        plays = plays_of(track(AT, 200_500, "Sky"))
        assert plays["started_at"].tolist() == [
            pd.Timestamp("2024-03-05 20:00:00Z") - pd.Timedelta("0.5s")
        ]
        assert plays["ended_at"].tolist() == [pd.Timestamp(AT)]
        assert plays["watched_seconds"].tolist() == [200.5]
        assert plays["precision"].tolist() == ["second"]
        basic = plays_of(
            heard("2024-03-06 00:03", 300_000, "Sky"), name="StreamingHistory_music_0.json"
        )
        assert basic["started_at"].tolist() == [pd.Timestamp("2024-03-05 23:58Z")]
        assert basic["precision"].tolist() == ["minute"]
        assert basic["started_at"].dtype == plays["ended_at"].dtype == "datetime64[us, UTC]"

    def test_what_was_played(self):
        plays = plays_of(
            track(AT, 1, "Sky"), episode(AT, 1, "12 - Tides", "Sea Talk"),
            chapter(AT, 1, "Chapter 1", "A Ferry"), chapter(AT, 1, None, "A Ferry"),
            track(AT, 1, "Sky", artist=""), play(AT, 1), play(AT, 1, episode_show_name="Sea Talk"),
        )  # fmt: skip
        assert plays["title"].tolist()[:5] == [
            "The Lanterns - Sky", "Sea Talk - 12 - Tides", "A Ferry - Chapter 1", "A Ferry", "Sky",
        ]  # fmt: skip
        assert plays["series"].isna().tolist() == [True, False, False, False, True, True, True]
        assert plays["series"].tolist()[1:3] == ["Sea Talk", "A Ferry"]
        assert plays["kind"].tolist() == [
            "track", "episode", "unknown", "unknown", "track", "unknown", "unknown",
        ]  # fmt: skip
        assert reasons(plays) == [None] * 5 + ["no title"] * 2

    def test_videos_are_told_by_their_file_and_episodes_stay_episodes(self):
        rows = [track(AT, 1, "Sky"), episode(AT, 1, "Tides", "Sea Talk")]
        plays = plays_of(*rows, name="a/Streaming_History_Video_2018-2024.json")
        assert plays["kind"].tolist() == ["video", "episode"]

    def test_the_account_data_before_2024_cant_tell_tracks_from_podcasts(self):
        plays, notes = finished(spotify, files_of(old_basic_export()))
        assert set(plays["kind"]) == {"unknown"}
        assert notes == ["Plays in files that don't tell tracks from episodes or chapters: 2."]

    def test_the_account_data_since_tells_them(self):
        plays, notes = finished(spotify, files_of(basic_export()))
        assert plays["kind"].tolist() == ["track"] * 4 + ["episode"]
        assert plays["series"].tolist()[-1] == "Sea Talk"
        assert notes == []
        book = {"endTime": "2024-03-05 20:00", "audiobookName": "A Ferry", "chapterName": "1",
                "authorName": "N. N.", "msPlayed": 5}  # fmt: skip
        plays = plays_of(book, name="StreamingHistory_audiobook_0.json")
        assert plays[["title", "kind"]].to_numpy().tolist() == [["A Ferry - 1", "unknown"]]

    def test_the_history_before_2023_reads_the_same(self):
        plays, notes = finished(spotify, files_of(endsong_export()))
        assert plays["title"].tolist() == ["The Lanterns - Sand"]
        assert plays["watched_seconds"].tolist() == [310.0]
        assert notes == []

    def test_every_row_of_every_file_stays_and_has_its_reason(self):
        plays, notes = finished(spotify, files_of(extended_export() | basic_export()))
        assert plays.index.equals(pd.RangeIndex(17))
        assert reasons(plays) == [
            None, None, "not a watch", "not a watch", "not a watch", None, None,
            None, None, None, "duplicate",
            None,
            None, "duplicate", "duplicate", "not a watch",
            "duplicate",
        ]  # fmt: skip
        assert notes == [
            "Plays of the account data that the extended history holds as well, and that are used "
            "once: 3.",
            "Plays made offline: 3, and 2 of them more than an hour before the time they bear, "
            "which may be that of their upload and stays as it is.",
        ]
        used = plays[plays["excluded"].isna()]
        assert used["watched_seconds"].sum() == 200 + 200 + 1800 + 600 + 180 + 240 + 180 + 210 + 120

    def test_only_plays_within_a_file_of_the_extended_history_are_counted_there(self):
        ends = ["2024-03-05 20:02", "2024-03-05 20:03", "2024-03-05 20:10", "2024-03-05 20:11"]
        basic = as_json([heard(end, 60_000, "Other") for end in ends])
        extended = as_json([track(AT, 1, "Sky"), track("2024-03-05T20:10:00Z", 1, "Sky")])
        later = as_json([track("2024-03-09T20:03:20Z", 1, "Sky")])
        plays, _ = finished(spotify, [
                as_file("StreamingHistory_music_0.json", basic), as_file("a.json", extended),
                as_file("b.json", later),
            ])  # fmt: skip
        assert reasons(plays)[:4] == [None, "duplicate", "duplicate", None]

    def test_repeats_are_the_same_end_item_and_time_played(self):
        row = track(AT, 5000, "Sky")
        rows = [
            row, row, row | {"ms_played": 5001}, row | {"ts": "2024-03-05T20:03:21Z"},
            row | {"spotify_track_uri": "spotify:track:x"},
        ]  # fmt: skip
        assert reasons(plays_of(*rows)) == [None, "duplicate", None, None, None]
        row |= {"spotify_track_uri": None}
        other = row | {"master_metadata_track_name": "Salt"}
        assert reasons(plays_of(row, row, other)) == [None, "duplicate", None]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"ts": None}, "no time"),
            ({"ms_played": None}, "no time"),
            ({"ms_played": -1}, "impossible duration"),
            ({"ms_played": 0}, "not a watch"),
            ({"ms_played": 1}, None),
            ({"ms_played": 9e14}, "impossible time"),
            ({"ts": "1900-01-01T00:00:00Z", "ms_played": 1}, "impossible time"),
            ({"ts": "1900-01-01T00:00:01Z", "ms_played": 1000}, None),
            ({"ts": "2199-12-31T23:59:59Z"}, None),
            ({"ts": "2200-01-01T00:00:00Z"}, "impossible time"),
            ({"ts": "0000-01-01T00:00:00Z"}, "impossible time"),
        ],
    )
    def test_reasons(self, change, reason):
        plays = plays_of(track(AT, 5000, "Sky") | change)
        assert reasons(plays) == [reason]
        assert reason != "impossible time" or plays["started_at"].isna().all()

    @pytest.mark.parametrize(
        ("stamp", "n_late"),
        [(1_709_665_400, 0), (1_709_665_400_000, 0), (1_709_662_000, 0), (1_709_661_995, 0), (1_709_661_994, 1),
         (1_709_661_994_999, 1), (0, 0), (None, 0), ("x", 0)],
    )  # fmt: skip
    def test_offline_times_are_in_seconds_or_milliseconds(self, stamp, n_late):
        # The play started at 1709665600 - 5.
        assert pd.Timestamp("2024-03-05 19:06:40Z").timestamp() == 1_709_665_600
        row = track("2024-03-05T19:06:40Z", 5000, "Sky", offline=True, offline_timestamp=stamp)
        plays, (note,) = read_rows(row)
        assert note.startswith(f"Plays made offline: 1, and {n_late} of them")
        assert plays["ended_at"].tolist() == [pd.Timestamp("2024-03-05 19:06:40Z")]
        assert read_rows(row | {"offline": False})[1] == []
        assert read_rows(row | {"ms_played": 0})[1] == []

    @pytest.mark.parametrize(
        ("platform", "device"),
        [
            ("Android OS 9 API 28 (Acme, Phone X)", "Android OS"), ("iOS 13.3 (Ann's phone)", "iOS"),
            ("Android [arm 0] ", "Android"), ("OS X 10.15.4 [x86 4]", "OS X"), ("windows", "windows"),
            ("Windows 10 (10.0.19041; x64)", "Windows"), ("ps4", "ps4"),
            ("web_player windows 10;chrome 90;desktop", "web_player windows"),
            ("Partner acme_x6 Acme;Box", "Partner acme"), ("Anns phone", "Anns"),
            ("not_applicable", None), ("", None), (None, None), ("(Ann)", None),
        ],
    )  # fmt: skip
    def test_of_a_device_only_its_kind_is_kept(self, platform, device):
        plays = plays_of(track(AT, 1, "Sky", platform=platform))
        assert plays["device"].astype("str").fillna("").tolist() == [device or ""]

    @pytest.mark.parametrize("country", ["ZZ", "", None, "de", "DEU", "Germany"])
    def test_a_country_is_a_code_or_unknown(self, country):
        assert plays_of(track(AT, 1, "Sky", conn_country=country))["country"].isna().all()
        assert plays_of(track(AT, 1, "Sky"))["country"].tolist() == ["DE"]

    def test_nothing_personal_is_kept(self):
        plays, _ = finished(spotify, files_of(extended_export() | endsong_export()))
        kept = " ".join(map(str, plays.to_numpy().ravel()))
        for personal in ("192.0.2.7", "someone", "X/1", "Phone X", "spotify:"):
            assert personal not in kept

    def test_titles_are_normalised(self):
        plays = plays_of(track(AT, 1, "E\u0301tude\u00a0\u200b No.  1 "))
        assert plays["title"].tolist() == ["The Lanterns - Étude No. 1"]

    def test_half_a_surrogate_in_any_text_does_no_harm(self):
        row = dict.fromkeys(track(AT, 1, "Sky"), "\ud83d") | {"ts": AT, "ms_played": 1}
        plays, _ = finished(spotify, [as_file("a.json", json.dumps([row, row]).encode())])
        assert reasons(plays) == [None, "duplicate"]
        assert plays["title"].tolist()[0] == "\ufffd - \ufffd"

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"ts": "soon"}, r"times in 'ts' such as .*, found 'soon' in row 2 of Streaming_H"),
            ({"ts": "2024-02-30T00:00:00Z"}, "found '2024-02-30T00:00:00Z' in row 2"),
            ({"ts": "2024-03-05T24:00:00Z"}, "in row 2"),
            ({"ts": "2024-03-05 20:03"}, "in row 2"),
            ({"ts": "٢٠٢٤-03-05T20:03:20Z"}, "in row 2"),
            ({"ts": 1709665600}, "found 1709665600 in row 2"),
            ({"ts": "ann@example.org"}, "found a text with an @ in row 2"),
            ({"ms_played": "5000"}, "milliseconds in 'ms_played', found another value in row 2"),
            ({"ms_played": True}, "in row 2"),
            ({"ms_played": 10**400}, "in row 2"),
            ({"ms_played": np.inf}, "in row 2"),
            ({"ms_played": np.nan}, "in row 2"),
            ({"episode_name": 7}, "text or null in 'episode_name', found another value in row 2"),
            ({"platform": {}}, "text or null in 'platform', found another value in row 2"),
        ],
    )
    def test_rows_of_another_form_are_refused(self, change, sentence):
        with pytest.raises(ValueError, match=sentence):
            plays_of(track(AT, 5000, "Sky"), track(AT, 5000, "Salt") | change)

    @pytest.mark.parametrize("end", ["2024-03-05 20:03:20", "2024-3-5 20:03", "٢٠٢٤-03-05 20:03"])
    def test_an_end_is_written_to_the_minute(self, end):
        with pytest.raises(ValueError, match="times in 'endTime' such as 2024-03-05 20:15, found"):
            plays_of(heard(end, 5000, "Sky"))

    def test_rows_without_a_time_are_refused(self):
        row = track(AT, 5000, "Sky")
        for other in ({"ts": AT}, [row], 5):
            with pytest.raises(
                ValueError, match="with 'ts' and 'ms_played', found another in row 2"
            ):
                plays_of(row, other)

    @pytest.mark.parametrize("tail", [b"", b"}", b"[" * 10**5, b"9" * 5000 + b"]", b"\xff]"])
    def test_one_malformed_file_refuses_the_export_with_its_name(self, tail):
        good, name = as_json(MARCH), "Streaming_History_Audio_2020_9.json"
        bad = as_file(f"someone/{name}", good[:-1] + b"," + tail)
        with pytest.raises(ValueError, match=name) as refusal:
            finished(spotify, [as_file("a.json", good), bad])
        assert "someone" not in str(refusal.value)

    def test_what_holds_no_plays_is_refused(self):
        with pytest.raises(ValueError, match=r"found none in x\.json"):
            finished(spotify, [as_file("x.json", b'{"a": []}')])


def test_mutated_bytes_give_every_record_or_one_sentence():
    podcasts = as_json([podcast_heard("2024-03-06 00:10", 1_800_000, "12", "Sea Talk")] * 3)
    name = "Streaming_History_Audio_2024_0.json"
    check_mutations(
        spotify, [as_json(MARCH), podcasts], changed_json, name, lambda data: len(json.loads(data))
    )
