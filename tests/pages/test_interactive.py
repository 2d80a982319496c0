import ipywidgets
import matplotlib.pyplot as plt
import pytest

from adu_core.pages.knobs import knobs
from adu_core.pages.player import player
from adu_core.pages.quiz import quiz


def draw(number: int) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.set_title(str(number))
    return figure


def test_a_player_holds_every_frame_and_closes_the_figures():
    page = player([draw(1), draw(2)], ["one", "two"], alt="a number").html
    assert page.count("data:image/webp;base64,") == 4  # two for light pages, two for dark
    assert '"names":["one","two"]' in page
    assert not plt.get_fignums()


def test_markup_in_the_data_cannot_leave_the_script():
    page = player([draw(1)], ["</script><b>"], alt='"><b>').html
    assert page.count("</script") == 1
    assert 'aria-label="&quot;&gt;&lt;b&gt;"' in page


@pytest.mark.parametrize("names", [[], ["one", "two"]])
def test_a_player_needs_a_name_for_each_frame(names):
    figures = [draw(1)] if names else []
    with pytest.raises(ValueError, match="one for each"):
        player(figures, names, alt="a number")
    plt.close("all")


def test_moving_a_knob_draws_the_figure_anew():
    slider = ipywidgets.IntSlider(1, 0, 5)
    *_, picture = knobs(draw, number=slider).children
    first = bytes(picture.value)
    assert first.startswith(b"\x89PNG")
    slider.value = 2
    assert picture.value != first
    assert slider.description == "number"
    assert not plt.get_fignums()


def test_what_is_no_figure_is_shown_as_text():
    *_, text, _ = knobs(lambda number: number < 2, number=ipywidgets.IntSlider(1, 0, 5)).children
    assert text.value == "<pre>True</pre>"


def test_a_quiz_holds_its_answers_and_which_is_right():
    page = quiz("2 + 2?", {"3": "One more.", "4": "Yes.", "<5>": "Less."}, right="4").html
    assert '"right":1' in page
    assert "<5>" not in page


@pytest.mark.parametrize(
    ("choices", "right", "said"),
    [
        ({"3": "One more."}, "3", "two choices"),
        ({"3": "One more.", "4": "Yes."}, "5", "not '5'"),
        ({"3": "", "4": "Yes."}, "4", "'3' has no answer"),
    ],
)
def test_a_quiz_that_cannot_be_answered_is_refused(choices, right, said):
    with pytest.raises(ValueError, match=said):
        quiz("2 + 2?", choices, right=right)
