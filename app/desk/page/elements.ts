/** Elements of the page, as plain HTML: what a browser gives keyboards and screen readers, they have. */

type Attributes = Readonly<Record<string, string>>;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function button(attributes: Attributes, onClick: () => unknown, ...children: readonly (Node | string)[]) {
  const made = element('button', { type: 'button', ...attributes }, ...children);
  made.addEventListener('click', () => void onClick());
  return made;
}
