import { useEffect, useId, useRef, useState } from 'react';
import { Icon } from './icon.tsx';

export interface SearchFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A search field; `/` goes there from anywhere that is no field itself. */
export function SearchField({ label, value, onChange }: SearchFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (
        event.key !== '/' ||
        isTyping(event.target) ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey
      )
        return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <div className="search" role="search">
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        aria-label={label}
        aria-keyshortcuts="/"
        placeholder={label}
      />
    </div>
  );
}

/** Where `/` is a letter, or where there is a question to answer first. */
const TYPED_INTO =
  'textarea, select, dialog, input:not([type=radio], [type=checkbox], [type=file])';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(TYPED_INTO) !== null;
}

export interface FilterChipsProps<V extends string> {
  readonly label: string;
  readonly options: readonly { readonly value: V; readonly label: string }[];
  readonly value: V;
  readonly onChange: (value: V) => void;
}

/** One of several, all in sight; arrow keys move between them as in every group of radio buttons. */
export function FilterChips<V extends string>({
  label,
  options,
  value,
  onChange,
}: FilterChipsProps<V>) {
  const name = useId();
  return (
    <fieldset className="chips">
      <legend className="hidden">{label}</legend>
      {options.map((option) => (
        <label key={option.value} className="choice" data-value={option.value}>
          <input
            type="radio"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** More than this at once is not read by anybody, and costs everybody. */
const STEP = 50;

/** How many rows are shown: back to the first ones whenever the question changes. */
export function useShownCount(question: string): { shown: number; showMore: () => void } {
  const [state, setState] = useState({ question, shown: STEP });
  const shown = state.question === question ? state.shown : STEP;
  return { shown, showMore: () => setState({ question, shown: shown + STEP }) };
}

export function ShowMore({ left, onMore }: { readonly left: number; readonly onMore: () => void }) {
  if (left <= 0) return null;
  return (
    <button type="button" className="more" onClick={onMore}>
      Show {Math.min(left, STEP)} more of {left}
    </button>
  );
}
