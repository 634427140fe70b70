import type { ConflictDetails } from 'nexus-store';
import { useState } from 'react';
import { useAttempt } from '../hooks.ts';
import {
  choicesAfter,
  differingFields,
  firstChoices,
  merged,
  type Choices,
  type Side,
} from '../model/merge.ts';
import { completeNote, nameOf, type Draft, type DraftField, type Note } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { Icon } from '../parts/icon.tsx';
import { say } from '../parts/toast.tsx';
import { goInstead, isConflictOpen, paths } from '../route.ts';
import { FIELD_WORDS } from '../words/field-words.ts';
import { PRIORITY_WORDS } from '../words/sync-words.ts';
import { useConflict, type Resolution } from './use-conflict.ts';

/** @param said what is true as soon as it is decided; the server has not been asked yet */
type Resolve = (resolution: Resolution, said: string) => void;

/** Two have changed one note: a person decides. */
export function ConflictScreen({ entryId }: { readonly entryId: string }) {
  const conflict = useConflict(entryId);
  const { details } = conflict;
  const { error = conflict.error, attempt } = useAttempt();
  const [isElsewhere, setIsElsewhere] = useState(false);
  const decide = (shown: ConflictDetails, ...[resolution, said]: Parameters<Resolve>): void => {
    if (conflict.isTooNew) return;
    attempt(async () => {
      const result = await conflict.decide(shown, resolution);
      if (result === 'elsewhere') setIsElsewhere(true);
      if (result !== 'decided') return;
      if (isConflictOpen(entryId)) goInstead(paths.note(String(shown.id)));
      say(said);
    });
  };
  return (
    <div className="page">
      <div className="detail-head">
        <a className="back" href={paths.sync}>
          <Icon name="back" />
          <span className="back-label">Sync</span>
        </a>
        <Heading title="Conflict">Conflict</Heading>
      </div>
      {error !== undefined && <Failure error={error} />}
      <div className="alerts" role="alert">
        {conflict.hasChanged && details !== undefined && (
          <p className="notice" data-tone="wait">
            This was changed on the server meanwhile; look again. Nothing has been decided.
          </p>
        )}
        {isElsewhere && (
          <p className="notice" data-tone="wait">
            This was decided elsewhere, in another tab or window. What you chose here was not used.
          </p>
        )}
      </div>
      {conflict.isRead && details === undefined && (
        <p className="empty">
          This conflict is decided. <a href={paths.sync}>Back to Sync</a>
        </p>
      )}
      {details !== undefined && (
        <Decision
          details={details}
          isTooNew={conflict.isTooNew}
          resolve={(...decision) => decide(details, ...decision)}
        />
      )}
    </div>
  );
}

interface DecisionProps {
  readonly details: ConflictDetails;
  readonly isTooNew: boolean;
  readonly resolve: Resolve;
}

function Decision({ details, ...rest }: DecisionProps) {
  const id = String(details.id);
  const noteOf = (value: unknown): Note | null =>
    value === null || value === undefined ? null : completeNote({ ...(value as Note), id });
  const [base = null, mine, theirs] = [details.base, details.local, details.remote].map(noteOf);
  if (mine && theirs) return <Merge base={base} mine={mine} theirs={theirs} {...rest} />;
  return <OneIsGone kept={mine ?? theirs ?? null} isMine={mine !== null} {...rest} />;
}

interface NoteSides {
  readonly base: Note | null;
  readonly mine: Note;
  readonly theirs: Note;
}

interface MergeProps extends NoteSides, Omit<DecisionProps, 'details'> {}

function Merge({ base, mine, theirs, isTooNew, resolve }: MergeProps) {
  const [choices, setChoices] = useChoices({ base, mine, theirs });
  const fields = differingFields(mine, theirs);
  const choose = (field: DraftField, side: Side): void => setChoices({ ...choices, [field]: side });
  const save = (): void => {
    const value = { ...merged(mine, theirs, choices), changedAt: Date.now() };
    resolve({ use: 'merged', value }, 'Decided. The merged note will be sent.');
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <p className="lead">
        Someone else changed “{nameOf(theirs)}” before your change reached the server. Choose for
        each field.
      </p>
      {fields.length === 0 && <p>Both say the same by now.</p>}
      {fields.map((field) => (
        <FieldChoice
          key={field}
          field={field}
          base={base}
          mine={mine}
          theirs={theirs}
          side={choices[field]}
          onChoose={(side) => choose(field, side)}
        />
      ))}
      <div className="actions">
        <button type="submit" className="primary" aria-disabled={isTooNew}>
          Save this choice
        </button>
        <button
          type="button"
          aria-disabled={isTooNew}
          onClick={() => resolve({ use: 'local' }, 'Decided. Your version will be sent.')}
        >
          All mine
        </button>
        <button
          type="button"
          aria-disabled={isTooNew}
          onClick={() => resolve({ use: 'remote' }, 'Decided. Their version stays.')}
        >
          All theirs
        </button>
      </div>
    </form>
  );
}

/** What is chosen, as far as it was chosen between what the sides say now. */
function useChoices(sides: NoteSides): readonly [Choices, (choices: Choices) => void] {
  const begin = (): Choices => firstChoices(sides.base, sides.mine, sides.theirs);
  const [state, setState] = useState(() => ({ sides, choices: begin(), text: textOf(sides) }));
  const text = textOf(sides);
  let { choices } = state;
  if (text !== state.text) {
    choices = choicesAfter(state.sides, choices, sides);
    setState({ sides, choices, text });
  }
  return [choices, (next) => setState({ sides, choices: next, text })];
}

const textOf = ({ base, mine, theirs }: NoteSides): string => JSON.stringify([base, mine, theirs]);

interface FieldChoiceProps {
  readonly field: DraftField;
  readonly base: Note | null;
  readonly mine: Note;
  readonly theirs: Note;
  readonly side: Side;
  readonly onChoose: (side: Side) => void;
}

function FieldChoice({ field, base, mine, theirs, side, onChoose }: FieldChoiceProps) {
  const sides = [
    { value: 'mine', label: 'Mine', note: mine },
    { value: 'theirs', label: 'Theirs', note: theirs },
  ] as const;
  return (
    <fieldset className="versus">
      <legend>{FIELD_WORDS[field]}</legend>
      <div className="sides">
        {sides.map(({ value, label, note }) => (
          <label key={value} className="side" data-chosen={side === value}>
            <span className="side-name">
              <input
                type="radio"
                name={`side-of-${field}`}
                checked={side === value}
                onChange={() => onChoose(value)}
              />
              {label}
            </span>
            <span className="side-value">{fieldText(field, note)}</span>
          </label>
        ))}
      </div>
      {base !== null && <p className="faint">Before: {fieldText(field, base)}</p>}
    </fieldset>
  );
}

function fieldText(field: DraftField, note: Draft): string {
  if (field === 'priority') return PRIORITY_WORDS[note.priority];
  if (field !== 'photos') return note[field] === '' ? '(empty)' : note[field];
  return note.photos.length === 0 ? '(none)' : note.photos.map(({ name }) => name).join(', ');
}

interface OneIsGoneProps extends Omit<DecisionProps, 'details'> {
  readonly kept: Note | null;
  /** Mine is kept, theirs is deleted; else the other way round. */
  readonly isMine: boolean;
}

function OneIsGone({ kept, isMine, isTooNew, resolve }: OneIsGoneProps) {
  const title = kept === null ? 'Untitled' : nameOf(kept);
  return (
    <>
      <p className="lead">
        {isMine
          ? `Someone deleted “${title}” on the server while you were changing it.`
          : `You deleted “${title}”, and someone else changed it meanwhile.`}
      </p>
      <div className="actions">
        <button
          type="button"
          className="primary"
          aria-disabled={isTooNew}
          onClick={() =>
            resolve(
              { use: isMine ? 'local' : 'remote' },
              isMine ? 'Decided. Your note will be sent.' : 'Decided. The note stays.',
            )
          }
        >
          Keep the note
        </button>
        <button
          type="button"
          aria-disabled={isTooNew}
          onClick={() =>
            resolve({ use: isMine ? 'remote' : 'local' }, 'Decided. The note is deleted here.')
          }
        >
          Delete it
        </button>
      </div>
    </>
  );
}
