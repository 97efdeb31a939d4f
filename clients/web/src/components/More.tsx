import { useState } from 'react';
import { explain } from '../lib/errors';
import { count } from '../lib/format';
import { Notice } from './basics';

interface Props {
  page: { nodes: readonly unknown[]; totalCount?: number; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
  loading: boolean;
  more: (after: string | null) => Promise<unknown>;
}

/** Reads a list on. */
export function More({ page, loading, more }: Props) {
  const [failure, setFailure] = useState<unknown>();
  const { nodes, totalCount, pageInfo } = page;
  return (
    <div className="more">
      {failure !== undefined && <Notice kind="error">{explain(failure)}</Notice>}
      {totalCount !== undefined && totalCount > 0 && (
        <p className="soft small" role="status">
          {nodes.length} of {count(totalCount, 'product')}
        </p>
      )}
      {pageInfo.hasNextPage && (
        <button
          type="button"
          className="button"
          aria-disabled={loading}
          onClick={() => {
            if (!loading) {
              setFailure(undefined);
              more(pageInfo.endCursor).catch(setFailure);
            }
          }}
        >
          {loading && <span className="spinner" aria-hidden="true" />}
          Show more
        </button>
      )}
    </div>
  );
}
