import { graphql, readFragment, type FragmentType } from '@gql';
import { useState } from 'react';
import { chosen, choices, cleared, toggle } from '../lib/filters';
import { CloseIcon, FilterIcon } from './icons';

const SEARCH_FACETS = graphql(`
  fragment SearchFacets on SearchResult {
    facets {
      key
      name
      values {
        value
        label
        count
      }
    }
  }
`);

// So many values of a facet are shown before somebody asks for all.
const few = 6;

interface Props {
  result: FragmentType<typeof SEARCH_FACETS> | undefined;
  params: URLSearchParams;
  onChange: (params: URLSearchParams) => void;
}

/** What a search can be narrowed by. On small screens it is folded. */
export function Facets({ result, params, onChange }: Props) {
  const facets = readFragment(SEARCH_FACETS, result)?.facets ?? [];
  const [open, setOpen] = useState(false);
  const active = choices(params);
  const label = (key: string, value: string) => facets.find((f) => f.key === key)?.values.find((v) => v.value === value)?.label ?? value;
  return (
    <aside className="facets" aria-label="Filters">
      <button type="button" className="button facets-toggle" aria-expanded={open} aria-controls="facets" onClick={() => setOpen(!open)}>
        <FilterIcon />
        Filters{active.length > 0 && ` (${active.length})`}
      </button>
      {active.length > 0 && (
        <ul className="chips" aria-label="Chosen filters">
          {active.map(({ facet, value }) => (
            <li key={`${facet} ${value}`}>
              <button type="button" className="chip" onClick={() => onChange(toggle(params, facet, value))}>
                <span className="sr-only">Remove the filter </span>
                {label(facet, value)}
                <CloseIcon size={14} />
              </button>
            </li>
          ))}
          <li>
            <button type="button" className="link" onClick={() => onChange(cleared(params))}>
              Clear all
            </button>
          </li>
        </ul>
      )}
      <div id="facets" className={open ? 'facets-list facets-open' : 'facets-list'}>
        {facets.map((facet) => (
          <Facet key={facet.key} facet={facet} params={params} onChange={onChange} />
        ))}
      </div>
    </aside>
  );
}

interface FacetProps extends Pick<Props, 'params' | 'onChange'> {
  facet: { key: string; name: string; values: readonly { value: string; label: string; count: number }[] };
}

function Facet({ facet, params, onChange }: FacetProps) {
  const [all, setAll] = useState(false);
  const values = all ? facet.values : facet.values.slice(0, few);
  return (
    <fieldset className="facet">
      <legend>{facet.name}</legend>
      {values.map(({ value, label, count }) => (
        <label key={value} className="check">
          <input type="checkbox" checked={chosen(params, facet.key, value)} onChange={() => onChange(toggle(params, facet.key, value))} />
          <span>{label}</span>
          <span className="check-count">{count}</span>
        </label>
      ))}
      {facet.values.length > few && (
        <button type="button" className="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${facet.values.length}`}
        </button>
      )}
    </fieldset>
  );
}
