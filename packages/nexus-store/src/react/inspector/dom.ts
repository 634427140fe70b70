/** An element to be: the smallest virtual DOM that keeps focus, selection and animations alive. */
export interface VNode {
  readonly tag: string;
  readonly props: Props;
  readonly children: readonly (VNode | string)[];
}

type Handler = (event: Event) => void;
type PropValue = string | number | boolean | null | undefined | Handler;

/**
 * `key` tells siblings apart; `on…` are handlers; `checked`, `value` and `open` are set as properties;
 * true, false and null mean an attribute that is there, or not.
 */
export type Props = { readonly [name: string]: PropValue };

export type Child = VNode | string | number | false | null | undefined | readonly Child[];

export function h(tag: string, props: Props | null, ...children: readonly Child[]): VNode {
  return { tag, props: props ?? {}, children: flat(children) };
}

function flat(children: readonly Child[]): (VNode | string)[] {
  const found: (VNode | string)[] = [];
  for (const child of children) {
    if (child === false || child === null || child === undefined || child === '') continue;
    if (Array.isArray(child)) found.push(...flat(child as readonly Child[]));
    else found.push(typeof child === 'number' ? String(child) : (child as VNode | string));
  }
  return found;
}

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS: ReadonlySet<string> = new Set([
  'svg',
  'g',
  'rect',
  'line',
  'path',
  'circle',
  'text',
]);
const PROPERTIES: ReadonlySet<string> = new Set(['checked', 'value', 'open']);

interface Made {
  readonly tag: string;
  readonly key: string | undefined;
  props: Props;
}

const MADE = new WeakMap<Node, Made>();

/** Makes the children of `parent` what `wanted` says, touching only what differs. */
export function patch(parent: ParentNode & Node, wanted: readonly (VNode | string)[]): void {
  const known = new Map<string, Node[]>();
  for (const node of parent.childNodes) {
    const name = nameOf(node);
    const list = known.get(name);
    if (list === undefined) known.set(name, [node]);
    else list.push(node);
  }
  const nodes = wanted.map((child) => known.get(wantedName(child))?.shift() ?? create(child));
  // First what goes, so that what stays need not move: a node that moves loses focus.
  for (const left of known.values()) for (const node of left) node.parentNode?.removeChild(node);
  let cursor: Node | null = parent.firstChild;
  nodes.forEach((node, index) => {
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
    update(node, wanted[index] as VNode | string);
  });
}

function nameOf(node: Node): string {
  const made = MADE.get(node);
  return made === undefined ? '#text' : `${made.tag}/${made.key ?? ''}`;
}

function wantedName(child: VNode | string): string {
  if (typeof child === 'string') return '#text';
  const { key } = child.props;
  return `${child.tag}/${key === undefined || key === null ? '' : String(key)}`;
}

function create(child: VNode | string): Node {
  if (typeof child === 'string') return document.createTextNode(child);
  const { key } = child.props;
  const element = SVG_TAGS.has(child.tag)
    ? document.createElementNS(SVG, child.tag)
    : document.createElement(child.tag);
  MADE.set(element, {
    tag: child.tag,
    key: key === undefined || key === null ? undefined : String(key),
    props: {},
  });
  return element;
}

function update(node: Node, child: VNode | string): void {
  if (typeof child === 'string') {
    if (node.nodeValue !== child) node.nodeValue = child;
    return;
  }
  const element = node as Element;
  const made = MADE.get(node) as Made;
  for (const name of Object.keys(made.props))
    if (!(name in child.props)) setProp(element, name, null, made.props[name]);
  for (const [name, value] of Object.entries(child.props)) {
    if (name !== 'key') setProp(element, name, value, made.props[name]);
  }
  made.props = child.props;
  patch(element, child.children);
}

function setProp(element: Element, name: string, value: PropValue, before: PropValue): void {
  if (name.startsWith('on')) {
    if (value === before) return;
    if (typeof before === 'function') element.removeEventListener(name.slice(2), before);
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    return;
  }
  if (PROPERTIES.has(name)) {
    // People change these too: what counts is what is there now.
    const target = element as unknown as Record<string, unknown>;
    if (target[name] !== value) target[name] = value ?? false;
    return;
  }
  if (value === before) return;
  if (name === 'style') {
    // As an attribute a content security policy may forbid it.
    (element as HTMLElement).style.cssText = typeof value === 'string' ? value : '';
    return;
  }
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : String(value));
}
