// Makes an element look like new markup, keeping what has not changed: focus, selection, open details, scroll.

/** Give `old` the children of `fresh`; elements with `data-key` are matched by key. Calls `added` for new keyed ones. */
export function morphChildren(old, fresh, added = () => {}) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset?.key) keyed.set(child.dataset.key, child);
  }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = wanted.dataset?.key;
    let found = null;
    if (key) {
      found = keyed.get(key) ?? null;
      keyed.delete(key);
    } else if (place && place.nodeName === wanted.nodeName && !place.dataset?.key) {
      found = place;
    }
    if (!found) {
      old.insertBefore(wanted, place);
      if (key) added(wanted);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else old.insertBefore(found, place);
    morph(found, wanted, added);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function morph(old, fresh, added) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, fresh, added);
}
