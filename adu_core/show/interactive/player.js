// Pictures one after the other, under a slider.

function player(root, data) {
  const image = make(root, "img", { class: "adu-frame", alt: data.alt });
  timeline(root, data.names, (frame) => {
    image.src = data.frames[frame];
    image.alt = `${data.alt} (${data.names[frame]})`;
  });
}
