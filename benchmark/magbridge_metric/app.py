"""The Space's page, which scores predictions and references pasted as CSV."""

import csv
import io

from scores import TASKS, score

COLUMNS = ("prediction", "reference", "score")


def parse(text: str, task: str):
    """Parse predictions, references and scores from CSV text with a header.

    Args:
        text: CSV with the columns `prediction`, `reference` and optionally `score`.
        task: Task id, a key of `TASKS`.

    Returns:
        Three lists; the last is None without a `score` column.

    Raises:
        ValueError: If a column is missing or unknown, or a field is not a number as expected.
    """
    rows = list(csv.DictReader(io.StringIO(text.strip())))
    found = tuple(rows[0]) if rows else ()
    if not {"prediction", "reference"} <= set(found) <= set(COLUMNS):
        raise ValueError(
            f"found the columns {', '.join(map(str, found)) or 'none'}: expected a header with prediction, "
            "reference and optionally score, then one line per row"
        )

    def column(name: str, number: bool):
        values = [(row[name] or "").strip() for row in rows]
        if not number:
            return values
        try:
            return [float(value) for value in values]
        except ValueError as error:
            raise ValueError(f"column {name}: {error}; expected a number in every line") from error

    number = not TASKS[task].labels
    return (
        column("prediction", number),
        column("reference", number),
        column("score", True) if "score" in found else None,
    )


def evaluate_text(task: str, text: str) -> list[list]:
    """Score CSV text; return rows of metric name and value, or one row with the error."""
    try:
        predictions, references, scores = parse(text, task)
        return [[name, value] for name, value in score(TASKS[task], references, predictions, scores).items()]
    except ValueError as error:
        return [["error", str(error)]]


EXAMPLE = "prediction,reference\n0.91,0.90\n0.84,0.85\n0.79,0.78\n"


def build():
    """Build the page without launching it."""
    import gradio

    with gradio.Blocks(title="MagBridge metric") as page:
        gradio.Markdown(
            "# MagBridge metric\nScores of the MagBridge-Battery tasks, from CSV with a header "
            "`prediction,reference` and, for t2, t3 and t5, optionally `score`."
        )
        one_column = [name for name, spec in TASKS.items() if spec.second is None]  # places: through `evaluate`
        task = gradio.Dropdown(one_column, value="t1", label="Task")
        text = gradio.Textbox(EXAMPLE, lines=10, label="CSV")
        button = gradio.Button("Score", variant="primary")
        table = gradio.Dataframe(headers=["metric", "value"], label="Scores", interactive=False)
        button.click(evaluate_text, [task, text], table)
    return page


if __name__ == "__main__":
    build().launch()
