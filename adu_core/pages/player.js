// Pictures one after the other, under a slider; for light pages and for dark ones.

function player(root, data) {
  const images = ["light", "dark"].map((theme) =>
    [data[theme], make(root, "img", { class: `adu-frame adu-${theme}`, alt: data.alt })]);
  timeline(root, data.names, (number) => {
    for (const [frames, image] of images) {
      image.src = frames[number];
      image.alt = `${data.alt} (${data.names[number]})`;
    }
  });
}
