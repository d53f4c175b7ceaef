import pytest

from paas.errors import InvalidError
from paas.settings import BaseImages, Settings


def test_base_images_are_public_ones_unless_the_operator_chooses_others() -> None:
    assert Settings.from_environment({"MINI_HOME": "/x"}).base_images == BaseImages()
    chosen = Settings.from_environment(
        {"MINI_HOME": "/x", "MINI_BASE_PYTHON": "mirror:5000/py:{version}", "MINI_BASE_PLAIN": "debian"}
    )
    assert chosen.base_images == BaseImages(python="mirror:5000/py:{version}", plain="debian")


@pytest.mark.parametrize("image", ["a b", "x\nRUN evil", "py:{minor}", "-v", "$X"])
def test_what_names_no_image_is_refused(image: str) -> None:
    with pytest.raises(InvalidError, match="MINI_BASE_NODE must name an image"):
        Settings.from_environment({"MINI_HOME": "/x", "MINI_BASE_NODE": image})
