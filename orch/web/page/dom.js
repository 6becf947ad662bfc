// Elements from values, and a tree brought up to date in place: focus, open details and typed text survive.
// Styles are set through the object model only, for the page's policy allows none in mark-up.

/** An element: `h("td.money", { title: "..." }, child, ...)`. Children that are null or false are left out. */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "style") for (const [rule, given] of Object.entries(value)) element.style.setProperty(rule, given);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Make the children of `element` equal to those of `wanted`; what is equal already is left alone. */
export function show(element, ...children) {
  const wanted = document.createElement(element.tagName);
  append(wanted, children);
  morphChildren(element, wanted);
}

const KEPT = { DETAILS: ["open"], DIALOG: ["open"], INPUT: ["value", "checked"], OPTION: ["selected"] };

function morph(now, wanted) {
  if (now.nodeType === Node.TEXT_NODE) {
    if (now.data !== wanted.data) now.data = wanted.data;
    return;
  }
  if (now.isEqualNode(wanted)) return;
  const kept = KEPT[now.tagName] ?? [];
  for (const { name } of [...now.attributes])
    if (!wanted.hasAttribute(name) && name !== "style" && !kept.includes(name)) now.removeAttribute(name);
  for (const { name, value } of [...wanted.attributes])
    if (name !== "style" && now.getAttribute(name) !== value) now.setAttribute(name, value);
  if (now.style.cssText !== wanted.style.cssText) now.style.cssText = wanted.style.cssText;
  if (!now.hasAttribute("data-keep")) morphChildren(now, wanted);
}

function morphChildren(now, wanted) {
  const coming = [...wanted.childNodes];
  let place = now.firstChild;
  for (const next of coming) {
    const match = findMatch(place, next);
    if (match === null) {
      now.insertBefore(next, place);
      continue;
    }
    if (match !== place) now.insertBefore(match, place);
    morph(match, next);
    place = match.nextSibling;
  }
  while (place !== null) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function findMatch(place, wanted) {
  const key = keyOf(wanted);
  if (key === null) return place !== null && sameKind(place, wanted) ? place : null;
  for (let each = place; each !== null; each = each.nextSibling)
    if (keyOf(each) === key && sameKind(each, wanted)) return each;
  return null;
}

const sameKind = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
