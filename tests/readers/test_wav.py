"""WAV: chunks by hand, sizes that lie, and what other writers write."""

from __future__ import annotations

import random
import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from ctmeter.errors import InputError
from ctmeter.readers.wav import READER

CODES = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def fmt(kind: int = 1, channels: int = 2, rate: int = 8000, bits: int = 16, frame: int | None = None) -> bytes:
    frame = channels * bits // 8 if frame is None else frame
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits))


def riff(*chunks: bytes, tag: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return tag + struct.pack("<I", len(body)) + body


DATA = np.arange(-10, 10, dtype="<i2")


def read(tmp_path, data: bytes, rate: float | None = None):
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    assert READER.sniff(path, data[:4096])
    return READER.read(path, rate=rate)


@pytest.mark.parametrize(("kind", "bits"), CODES)
@pytest.mark.parametrize("extensible", [False, True])
def test_samples_at_full_scale(tmp_path, kind, bits, extensible):
    raw = (np.arange(60).reshape(20, 3) - 30).astype(CODES[kind, bits])
    form = fmt(kind, 3, 12800, bits)
    if extensible:
        form = chunk(b"fmt ", struct.pack("<HHIIHHHHI", 0xFFFE, 3, 12800, 0, 3 * bits // 8, bits, 22, bits, 7) + struct.pack("<H", kind) + bytes(14))
    rec = read(tmp_path, riff(form, chunk(b"odd ", b"123"), chunk(b"data", raw.tobytes())))
    np.testing.assert_array_equal(rec.read(), raw / (2.0 ** (bits - 1) if kind == 1 else 1.0))
    assert (rec.sample_rate, rec.samples, [c.name for c in rec.channels]) == (12800.0, 20, ["ch1", "ch2", "ch3"])
    assert {c.unit for c in rec.channels} == {""} and rec.source.raw(0, 3).flags.aligned
    assert rec.warnings == []


def test_24_bits_are_widened(tmp_path):
    values = np.array([[0, 1], [-1, 2**23 - 1], [-(2**23), 1234567]])
    data = b"".join(int(v).to_bytes(3, "little", signed=True) for v in values.ravel())
    rec = read(tmp_path, riff(fmt(bits=24), chunk(b"data", data)))
    np.testing.assert_array_equal(rec.source.raw(0, 3), values)
    assert rec.source.raw(0, 3).dtype == np.int32
    np.testing.assert_array_equal(rec.read(), values / 2.0**23)


@pytest.mark.parametrize("tag", [b"RF64", b"BW64"])
def test_sizes_of_64_bits(tmp_path, tag):
    sizes = chunk(b"ds64", struct.pack("<QQQI", 1000, DATA.nbytes, 10, 0))
    rec = read(tmp_path, riff(sizes, fmt(), chunk(b"data", DATA.tobytes(), 0xFFFFFFFF), chunk(b"more", b"xx"), tag=tag))
    np.testing.assert_array_equal(rec.source.raw(0, 10), DATA.reshape(10, 2))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_open_sizes_of_writers_that_cannot_seek(tmp_path, size):
    rec = read(tmp_path, riff(fmt(), chunk(b"data", DATA.tobytes(), size)))
    assert rec.samples == 10 and rec.warnings == []


def test_cut_data_give_whole_frames(tmp_path):
    rec = read(tmp_path, riff(fmt(), chunk(b"data", DATA.tobytes(), 4000))[:-3])
    np.testing.assert_array_equal(rec.source.raw(0, 9), DATA.reshape(10, 2)[:9])
    assert rec.samples == 9 and any("4000" in w for w in rec.warnings) and any("whole frame" in w for w in rec.warnings)


def test_a_given_rate_wins(tmp_path):
    data = riff(fmt(), chunk(b"data", DATA.tobytes()))
    assert read(tmp_path, data, rate=8000.4).warnings == []
    rec = read(tmp_path, data, rate=9000.0)
    assert rec.sample_rate == 9000.0 and any("8000" in w for w in rec.warnings)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (riff(fmt(bits=12), chunk(b"data", b"12")), "12 bits"),
        (riff(fmt(kind=85), chunk(b"data", b"12")), "encoding 85"),
        (riff(fmt(channels=0), chunk(b"data", b"12")), "0 channels"),
        (riff(fmt(channels=20000, frame=40000), chunk(b"data", b"12")), "20000 channels"),
        (riff(fmt(frame=7), chunk(b"data", b"12")), "frames of 7"),
        (riff(fmt(rate=0), chunk(b"data", DATA.tobytes())), "0 Hz"),
        (riff(fmt()), "no data chunk"),
        (riff(chunk(b"data", b"1234")), "no fmt chunk"),
        (riff(fmt(), chunk(b"data", b"")), "no samples"),
        (riff(chunk(b"fmt ", b"12")), "cut off"),
        (b"RIFF\x04\0\0\0WAVE", "no fmt"),
        (b"RIFF\x04\0\0\0WAVEds64\x1c\0\0\0abc", "within a chunk"),
    ],
)
def test_what_is_refused(tmp_path, data, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, data)


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b'{"channels": [{"name": "a"}]}', b"[" * 100_000])
def test_a_description_that_does_not_fit_is_ignored_and_said(tmp_path, text):
    rec = read(tmp_path, riff(fmt(), chunk(b"ctmt", text), chunk(b"data", DATA.tobytes())))
    assert rec.channels[0].name == "ch1" and any("ctmt" in w for w in rec.warnings)


def test_files_of_other_writers(tmp_path):
    raw = np.random.default_rng(5).integers(-30000, 30000, (1000, 2)).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(raw.tobytes())
    wavfile.write(tmp_path / "b.wav", 44100, raw)
    wavfile.write(tmp_path / "c.wav", 44100, raw.astype("f4"))
    for name in "abc":
        rec = READER.read(tmp_path / f"{name}.wav")
        np.testing.assert_array_equal(rec.source.raw(0, 1000), raw)
        assert rec.sample_rate == 44100.0


def test_random_damage_gives_results_or_input_errors(tmp_path):
    rng = random.Random(4)
    whole = riff(fmt(), chunk(b"ctmt", b'{"channels": []}'), chunk(b"LIST", b"INFO"), chunk(b"data", DATA.tobytes()))
    path = tmp_path / "x.wav"
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 255, 128, rng.randrange(256)))
        path.write_bytes(bytes(data[: rng.randrange(8, len(data) + 1)]))
        try:
            READER.read(path).read()
        except InputError:
            continue


def test_truncation_at_every_byte(tmp_path):
    whole = riff(fmt(), chunk(b"data", DATA.tobytes()))
    path = tmp_path / "x.wav"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            rec = READER.read(path)
        except InputError:
            continue
        np.testing.assert_array_equal(rec.source.raw(0, rec.samples), DATA.reshape(10, 2)[: rec.samples])
        assert rec.samples == (size - 44) // 4


def test_8_bits_count_around_128(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt(channels=2, bits=8), chunk(b"data", bytes([0, 128, 255, 1, 64, 192]))))
    with READER.read(path) as rec:
        assert rec.source.raw(0, 3).tolist() == [[-128, 0], [127, -127], [-64, 64]] and rec.source.raw(1, 2).dtype == np.int16
        assert rec.read().tolist() == [[-1.0, 0.0], [127 / 128, -127 / 128], [-0.5, 0.5]]
        assert rec.channels[0].range == (-128.0, 127.0) and rec.format == "WAV PCM 8 bit"
