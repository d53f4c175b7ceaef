"""What the builder of images calls itself."""

from pathlib import Path

import pytest

from builds.image import ImageBuilder
from paas.settings import BaseImages, Settings


@pytest.mark.parametrize(
    ("bases", "name"),
    [
        pytest.param(BaseImages(), "image/2", id="the defaults"),
        pytest.param(BaseImages(plain="debian:trixie"), "image/2 plain=debian:trixie", id="one of its own"),
        pytest.param(
            BaseImages("mirror:5000/py:{version}", plain="debian"),
            "image/2 python=mirror:5000/py:{version} plain=debian",
            id="two",
        ),
    ],
)
def test_the_base_images_that_were_chosen_are_in_the_builders_name(
    tmp_path: Path, bases: BaseImages, name: str
) -> None:
    settings = Settings(home=tmp_path, base_images=bases)
    assert ImageBuilder(settings, home_id="home").name == name
