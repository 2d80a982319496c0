// Beside a link to the glossary: what it says, on hover and on keyboard focus, until Escape.
(() => {
  const LINKS = 'a.reference[href*="#term-"]';
  const box = document.createElement("div");
  box.id = "definition";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  let link = null;

  function hide() {
    link?.removeAttribute("aria-describedby");
    link = null;
    box.hidden = true;
  }

  function show(found) {
    const text = window.DEFINITIONS?.[decodeURIComponent(found.hash.slice(1))];
    if (!text) return;
    hide();
    link = found;
    link.setAttribute("aria-describedby", box.id);
    box.textContent = text;
    box.hidden = false;
    const place = link.getClientRects()[0];
    const left = Math.min(place.left, innerWidth - box.offsetWidth - 8);
    const below = place.bottom + box.offsetHeight + 4 < innerHeight;
    box.style.left = `${Math.max(8, left) + scrollX}px`;
    box.style.top = `${(below ? place.bottom : place.top - box.offsetHeight) + scrollY}px`;
  }

  // From the link to the box and back, the pointer may wander: it can be read there.
  document.addEventListener("mouseover", ({ target }) => {
    const found = target.closest?.(LINKS);
    if (found) show(found);
    else if (!box.contains(target) && document.activeElement !== link) hide();
  });
  document.addEventListener("focusin", ({ target }) => {
    const found = target.closest?.(LINKS);
    if (found) show(found);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") hide();
  });
})();
