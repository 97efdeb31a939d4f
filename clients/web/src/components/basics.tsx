import { useId, type ComponentProps, type ReactNode } from 'react';
import { explain } from '../lib/errors';
import { money, type Money } from '../lib/format';

/** An amount of money. */
export function Price({ value, className }: { value: Money; className?: string }) {
  return <span className={`price ${className ?? ''}`}>{money(value)}</span>;
}

/** Stars out of five, said in words to those who cannot see them. */
export function Stars({ average, count }: { average: number; count?: number }) {
  return (
    <span className="stars">
      <span className="stars-row" aria-hidden="true">
        <span className="stars-full" style={{ width: `${(average / 5) * 100}%` }} />
      </span>
      <span className="sr-only">{average} out of 5 stars</span>
      {count !== undefined && (
        <span className="stars-count">
          <span aria-hidden="true">{count}</span>
          <span className="sr-only">, {count} reviews</span>
        </span>
      )}
    </span>
  );
}

/** Something the customer should know at once. */
export function Notice({ kind = 'info', children }: { kind?: 'info' | 'error' | 'success' | 'warning'; children: ReactNode }) {
  return (
    <div className={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** What could not be loaded, and a way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => unknown }) {
  return (
    <Notice kind="error">
      <p>{explain(error)}</p>
      {retry && (
        <button type="button" className="button button-small" onClick={() => void retry()}>
          Try again
        </button>
      )}
    </Notice>
  );
}

/** A page, or a part of one, that has nothing to show. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Holds the place of what is being loaded. */
export function Skeleton({ className = '', label }: { className?: string; label?: string }) {
  return (
    <div className={`skeleton ${className}`} role={label ? 'status' : undefined}>
      {label && <span className="sr-only">{label}</span>}
    </div>
  );
}

interface FieldProps extends ComponentProps<'input'> {
  label: string;
  error?: string | undefined;
  hint?: string;
}

/** A labelled input with its hint and its error. */
export function Field({ label, error, hint, className, ...input }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className={`field ${className ?? ''}`}>
      <label htmlFor={id}>
        {label}
        {!input.required && input.type !== 'search' && <span className="optional"> (optional)</span>}
      </label>
      <input id={id} aria-invalid={error ? true : undefined} aria-describedby={described || undefined} {...input} />
      {hint && (
        <p className="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p className="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

/** A button that says that it is at work. */
export function Submit({ busy, children, ...button }: ComponentProps<'button'> & { busy: boolean }) {
  return (
    <button type="submit" className="button button-primary" {...button} aria-disabled={busy || undefined} onClick={busy ? (e) => e.preventDefault() : button.onClick}>
      {busy && <span className="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

/** A picture of a product, which keeps its place while it loads. */
export function Picture({ image, eager, className }: { image?: { url: string; alt: string } | null | undefined; eager?: boolean; className?: string }) {
  return (
    <div className={`picture ${className ?? ''}`}>
      {image && <img src={image.url} alt={image.alt} width={800} height={600} loading={eager ? 'eager' : 'lazy'} decoding="async" />}
    </div>
  );
}
