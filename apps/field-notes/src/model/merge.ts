import { isSameField, DRAFT_FIELDS, type Draft, type DraftField } from './note.ts';

export type Side = 'mine' | 'theirs';

/** Which side each field is taken from. */
export type Choices = Readonly<Record<DraftField, Side>>;

/** The fields in which the two differ: the others are nobody's question. */
export function differingFields(mine: Draft, theirs: Draft): readonly DraftField[] {
  return DRAFT_FIELDS.filter((field) => !isSameField(field, mine, theirs));
}

/**
 * What a careful person would begin with: of each field the side that changed it, mine where both did.
 *
 * @param base what both began with; null if nobody knows
 */
export function firstChoices(base: Draft | null, mine: Draft, theirs: Draft): Choices {
  const side = (field: DraftField): Side =>
    base !== null && isSameField(field, base, mine) && !isSameField(field, base, theirs)
      ? 'theirs'
      : 'mine';
  return Object.fromEntries(DRAFT_FIELDS.map((field) => [field, side(field)])) as Record<
    DraftField,
    Side
  >;
}

/** The two that somebody chooses between. */
export interface Sides {
  readonly base: Draft | null;
  readonly mine: Draft;
  readonly theirs: Draft;
}

/**
 * The choices after the sides have changed under them. What was chosen holds where both still say what they said;
 * elsewhere it was chosen between something else.
 */
export function choicesAfter(before: Sides, choices: Choices, now: Sides): Choices {
  const first = firstChoices(now.base, now.mine, now.theirs);
  const kept = DRAFT_FIELDS.filter(
    (field) =>
      isSameField(field, before.mine, now.mine) && isSameField(field, before.theirs, now.theirs),
  );
  return { ...first, ...Object.fromEntries(kept.map((field) => [field, choices[field]])) };
}

/** One note of two. */
export function merged<N extends Draft>(mine: N, theirs: N, choices: Choices): N {
  const taken = DRAFT_FIELDS.map((field) => [
    field,
    (choices[field] === 'mine' ? mine : theirs)[field],
  ]);
  return { ...mine, ...(Object.fromEntries(taken) as Partial<N>) };
}
