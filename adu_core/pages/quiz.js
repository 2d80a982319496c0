// A question with choices: the one that is picked says at once whether and why it is right.

function quiz(root, data) {
  const field = make(root, "fieldset", { class: "adu-quiz" });
  make(field, "legend", {}, data.question);
  data.choices.forEach((choice, number) => {
    const label = make(field, "label");
    const input = make(label, "input", { type: "radio", name: root.id, value: number });
    make(label, "span", {}, choice.text);
    input.addEventListener("change", () => {
      const right = number === data.right;
      answer.className = right ? "adu-right" : "adu-wrong";
      answer.textContent = `${right ? "Right" : "Not quite"}. ${choice.answer}`;
    });
  });
  const answer = make(field, "output", { role: "status" });
}
