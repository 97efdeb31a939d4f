import { skipToken, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { useDeferredValue, useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { CloseIcon, SearchIcon } from './icons';

const SUGGESTIONS = graphql(`
  query Suggestions($prefix: String!) {
    searchSuggestions(prefix: $prefix, first: 6)
  }
`);

// So long nobody types before the shop is asked.
const pause = 150;

/** The search of the whole shop, with suggestions: a combobox by the ARIA Authoring Practices. */
export function SearchBox() {
  const [location, navigate] = useLocation();
  const [params] = useSearchParams();
  const shown = location.startsWith('/search') ? (params.get('q') ?? '') : '';
  const [text, setText] = useState(shown);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const [last, setLast] = useState(shown);
  if (last !== shown) {
    setLast(shown);
    setText(shown);
  }

  const prefix = useDeferredValue(useDelayed(text.trim(), pause));
  const { data, previousData } = useQuery(SUGGESTIONS, prefix.length >= 2 && open ? { variables: { prefix: prefix.slice(0, 100) } } : skipToken);
  const suggestions = text.trim().length < 2 ? [] : ((data ?? previousData)?.searchSuggestions ?? []);
  const visible = open && suggestions.length > 0;

  const search = (query: string) => {
    const wanted = query.trim().slice(0, 200);
    if (wanted) {
      setText(wanted);
      setOpen(false);
      setActive(-1);
      input.current?.blur();
      navigate(`/search?${new URLSearchParams({ q: wanted })}`);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp': {
        event.preventDefault();
        setOpen(true);
        const step = event.key === 'ArrowDown' ? 1 : -1;
        const n = suggestions.length + 1;
        setActive((i) => ((i + 1 + step + n) % n) - 1);
        break;
      }
      case 'Escape':
        setActive(-1);
        setOpen(false);
        break;
    }
  };

  return (
    <form
      className="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        search(visible && active >= 0 ? (suggestions[active] ?? text) : text);
      }}
    >
      <SearchIcon />
      <input
        ref={input}
        type="search"
        name="q"
        aria-label="Search the shop"
        placeholder="Search for laptops, headphones, lamps…"
        autoComplete="off"
        maxLength={200}
        enterKeyHint="search"
        role="combobox"
        aria-expanded={visible}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={visible && active >= 0 ? `${list}-${active}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(-1);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {text && (
        <button
          type="button"
          className="search-clear"
          aria-label="Clear the search"
          onClick={() => {
            setText('');
            input.current?.focus();
          }}
        >
          <CloseIcon />
        </button>
      )}
      <div id={list} role="listbox" aria-label="Suggestions" className="suggestions" hidden={!visible}>
        {suggestions.map((suggestion, i) => (
          // The keyboard's way is the input's; the list only mirrors it.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={suggestion}
            id={`${list}-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === active}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => search(suggestion)}
          >
            <SearchIcon />
            {suggestion}
          </div>
        ))}
      </div>
    </form>
  );
}

/** The value, once it has not changed for so many milliseconds. */
function useDelayed(value: string, milliseconds: number): string {
  const [delayed, setDelayed] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return delayed;
}
