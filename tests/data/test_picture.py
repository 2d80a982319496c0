"""Pictures as cameras, phones and instruments write them: the right pixels, or refused."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from adu_core.clips.preprocess import Preprocess
from adu_core.data import picture as picture_module
from adu_core.data.picture import PictureError, picture_suffixes, read_picture

RED, WHITE = (255, 0, 0), (255, 255, 255)
RAMP = np.linspace(0, 1, 256)


def middle(path, size: int = 4) -> torch.Tensor:
    """The colour in the middle."""
    return read_picture(path, size)[:, size // 2, size // 2].int()


def ramp_of(path) -> torch.Tensor:
    """The grey levels from left to right of a picture of 256 × 256 pixels."""
    pixels = read_picture(path, 256)
    assert pixels[0].equal(pixels[2])
    return pixels[0, 100].float()


# Colours.


@pytest.mark.parametrize(
    ("mode", "value", "suffix", "expected"),
    [
        ("RGB", RED, "png", RED),
        ("RGB", RED, "bmp", RED),
        ("RGB", RED, "webp", RED),
        ("L", 100, "jpg", (100, 100, 100)),
        ("LA", (0, 0), "png", WHITE),
        ("1", 1, "png", WHITE),
        ("I;16", 30000, "png", (116, 116, 116)),
        ("I;16", 65535, "tif", WHITE),
        ("RGBA", (*RED, 0), "png", WHITE),
        ("RGBA", (*RED, 128), "png", (255, 127, 127)),
        ("RGBA", (*RED, 255), "webp", RED),
        ("CMYK", (0, 255, 255, 0), "tiff", RED),
        ("CMYK", (0, 255, 255, 0), "jpg", RED),
    ],
)
def test_every_kind_of_colour_becomes_rgb(tmp_path, mode, value, suffix, expected):
    Image.new(mode, (8, 8), value).save(tmp_path / f"a.{suffix}")
    picture = read_picture(tmp_path / f"a.{suffix}", 4)
    assert (picture.shape, picture.dtype) == ((3, 4, 4), torch.uint8)
    lossy = 3 if suffix in {"jpg", "webp"} else 0
    off = middle(tmp_path / f"a.{suffix}") - torch.tensor(expected)
    assert off.abs().max() <= lossy


@pytest.mark.parametrize(("transparency", "expected"), [(None, RED), (1, WHITE), (0, RED)])
def test_a_palette_keeps_its_colours_and_its_transparency(tmp_path, transparency, expected):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 255, *RED])
    known = {} if transparency is None else {"transparency": transparency}
    picture.save(tmp_path / "a.png", **known)
    assert tuple(middle(tmp_path / "a.png")) == expected


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P"])
def test_a_colour_that_means_transparent_is_white(tmp_path, mode):
    picture = Image.new(mode, (8, 8), 0)
    picture.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (read_picture(tmp_path / "a.png", 4) == 255).all()


@pytest.mark.parametrize(
    ("suffix", "kind", "least", "greatest"),
    [
        *((suffix, kind, 0, white) for suffix in ("png", "tif")
          for kind, white in ((np.uint8, 255), (np.uint16, 65535), (np.uint16, 255))),
        *(("tif", np.int32, 0, white) for white in (255, 65535, 10**9)),
        *(("tif", np.float32, 0, white) for white in (1, 1.02, 255, 65535, 1e9)),
        ("tif", np.float32, -1.0, 1.0),
        ("tif", np.int32, -1024, 3071),
    ],
)  # fmt: skip
def test_a_grey_ramp_of_any_depth_is_a_ramp(tmp_path, suffix, kind, least, greatest):
    values = (least + RAMP * (greatest - least)).astype(kind)[None].repeat(256, 0)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    assert (ramp_of(tmp_path / f"a.{suffix}") - torch.arange(256)).abs().max() <= 1


def test_a_tiff_whose_zero_is_white_is_no_negative(tmp_path):
    for kind, white in ((np.uint8, 255), (np.uint16, 65535)):
        values = (RAMP * white).astype(kind)[None].repeat(256, 0)
        Image.fromarray(values).save(tmp_path / "a.tif")
        raw = (tmp_path / "a.tif").read_bytes()
        place = raw.index(struct.pack("<HHI", 262, 3, 1)) + 8
        (tmp_path / "a.tif").write_bytes(raw[:place] + b"\0\0" + raw[place + 2 :])
        levels = ramp_of(tmp_path / "a.tif")
        assert (levels - torch.arange(255, -1, -1)).abs().max() <= 1, kind


def test_lab_and_video_colours_are_what_they_were(tmp_path):
    red = Image.new("RGB", (8, 8), (200, 30, 40))
    profiles = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    ImageCms.profileToProfile(red, *profiles, outputMode="LAB").save(tmp_path / "a.tif")
    red.convert("YCbCr").save(tmp_path / "b.tif")
    for name, most in (("a.tif", 4), ("b.tif", 2)):
        assert (middle(tmp_path / name) - torch.tensor([200, 30, 40])).abs().max() <= most


def test_a_colour_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, more in (("a.png", {}), ("b.png", {"icc_profile": profile})):
        Image.new("RGB", (8, 8), (10, 100, 200)).save(tmp_path / name, **more)
    assert read_picture(tmp_path / "a.png", 4).equal(read_picture(tmp_path / "b.png", 4))


# Frames, orientation, sizes.


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png", "avif"])
def test_of_several_pages_or_frames_the_first_is_read(tmp_path, suffix):
    if f".{suffix}" not in picture_suffixes():
        pytest.skip("Pillow here cannot")
    pages = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    pages[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pages[1:])
    assert (middle(tmp_path / f"a.{suffix}") - torch.tensor(RED)).abs().max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_every_orientation_is_put_upright(tmp_path, orientation, suffix):
    rng = np.random.default_rng(0).integers(0, 2, (4, 4), np.uint8) * 255
    upright = Image.fromarray(rng).resize((64, 64), Image.Resampling.NEAREST).convert("RGB")
    kept = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that undoes it
    stored = upright.transpose(Image.Transpose(kept[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{suffix}", exif=exif)
    found, wanted = read_picture(tmp_path / f"a.{suffix}", 64)[0], np.array(upright)[..., 0]
    assert (found.float() - torch.tensor(wanted)).abs().mean() < 20


def test_a_picture_whose_exif_is_damaged_is_read_as_it_is(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_picture(tmp_path / "a.jpg", 4)[0].min() > 250


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
@pytest.mark.parametrize("sides", [(1, 1), (1, 5000), (5000, 1), (2, 7)])
def test_a_pixel_or_a_thread_of_any_kind_keeps_its_colour(tmp_path, mode, sides):
    path = tmp_path / f"a.{'tif' if mode in {'CMYK', 'YCbCr', 'F'} else 'png'}"
    Image.new(mode, sides, None if mode == "P" else 0).save(path)
    ways = [7, Preprocess(7, "squash", "bilinear")]
    for preprocess in ways + [Preprocess(7, "longest")] * (sides == (1, 1)):
        picture = read_picture(path, preprocess)
        assert picture.shape == (3, 7, 7)
        assert (picture == picture[:, :1, :1]).all()


@pytest.fixture
def small_limits(monkeypatch):
    """A phone's picture in small: more than Pillow and we like, in a few pixels."""
    monkeypatch.setattr(picture_module, "LARGE", 10_000)
    monkeypatch.setattr(picture_module, "MOST_JPEG", 640_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "jp2", "tif", "gif"])
def test_a_large_picture_is_read_as_if_it_were_small(tmp_path, small_limits, suffix):
    across = np.linspace(0, 255, 400).astype(np.uint8)[None].repeat(300, 0)
    pixels = np.stack([across, across[:, ::-1], across * 0 + 99], -1)
    exif = Image.Exif()
    exif[0x0112] = 3
    more = {"exif": exif} if suffix in ("jpg", "png", "tif") else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **more)
    found = read_picture(tmp_path / f"a.{suffix}", 32).float()
    small = Image.fromarray(pixels[::-1, ::-1] if more else pixels)
    small.save(tmp_path / "small.png")
    assert Image.MAX_IMAGE_PIXELS == 10_000
    picture_module.LARGE = 10**6
    whole = read_picture(tmp_path / "small.png", 32).float()
    assert (found - whole).abs().max() <= (24 if suffix == "gif" else 4)


def test_a_large_jpeg_is_never_decoded_whole(tmp_path, small_limits, monkeypatch):
    Image.new("RGB", (400, 300), "red").save(tmp_path / "a.jpg")
    sizes = []
    monkeypatch.setattr(
        picture_module, "rgb", lambda x: (sizes.append(x.size), x.convert("RGB"))[1]
    )
    assert read_picture(tmp_path / "a.jpg", 8).shape == (3, 8, 8)
    assert sizes == [(100, 75)]
    Image.new("RGB", (900, 800)).save(tmp_path / "b.jpg")
    with pytest.raises(PictureError, match=r"b\.jpg: it has 900 × 800 pixels, more than 640,000"):
        read_picture(tmp_path / "b.jpg", 8)


@pytest.mark.filterwarnings("error")
def test_a_phones_picture_of_108_million_pixels_is_read(tmp_path):
    Image.new("L", (12_000, 9_000), 200).save(tmp_path / "a.jpg", quality=30)
    assert (middle(tmp_path / "a.jpg", 16) - 200).abs().max() <= 4


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that says it is so large; there is nothing in it."""
    about = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + about
    head = struct.pack(">I", len(about)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I", 9) + b"IDAT"


# What is refused.


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty: replace it by"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC, or a film.*: replace it by"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull.*: replace it by"),
        (b"\n<!DOCTYPE html><html>", "a web page or an SVG: replace it by"),
        (b"some text", "no picture that Pillow can identify: replace it by"),
        (
            png_of(17_000, 16_000),
            "has 17000 × 16000 pixels, more than 268,435,456: scale it down",
        ),
        (png_of(60_000, 60_000), "has 60000 × 60000 pixels"),
        (png_of(2**31 - 1, 2**31 - 1), "has 2147483647 × 2147483647 pixels"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(PictureError, match=rf"row 3: .*{message}"):
            read_picture(io.BytesIO(content), 8, "row 3")
    with pytest.raises(PictureError, match=rf"cannot read the picture .*a\.jpg: .*{message}"):
        read_picture(tmp_path / "a.jpg", 8)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(tmp_path, value):
    values = np.zeros((8, 8), np.float32)
    values[3, 3] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=r"a\.tif: it holds values that are no numbers"):
        read_picture(tmp_path / "a.tif", 8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["jpg", "png", "gif", "webp", "bmp", "tif"]),
    cut=st.floats(0, 1),
    noise=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_bytes_give_a_picture_or_our_error(tmp_path, suffix, cut, noise):
    whole = tmp_path / f"whole.{suffix}"
    if not whole.exists():
        pixels = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(whole)
    damaged = bytearray(whole.read_bytes())
    for place, value in noise:
        damaged[int(place * len(damaged))] = value
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(damaged[: int(cut * len(damaged))])
    try:
        shape = read_picture(path, 8).shape
    except PictureError:
        return
    assert shape == (3, 8, 8)
