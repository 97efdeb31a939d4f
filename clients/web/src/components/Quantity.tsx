import { useState } from 'react';

interface Props {
  value: number;
  max: number;
  label: string;
  disabled?: boolean;
  onChange: (value: number) => void;
}

/** How many: a number between two buttons. */
export function Quantity({ value, max, label, disabled = false, onChange }: Props) {
  const [text, setText] = useState<string>();
  const set = (n: number) => {
    const next = Math.max(1, Math.min(max, n));
    if (next !== value) {
      onChange(next);
    }
  };
  const settle = () => {
    const n = Number.parseInt(text ?? '', 10);
    setText(undefined);
    if (Number.isFinite(n)) {
      set(n);
    }
  };
  return (
    <div className="quantity" role="group" aria-label={label}>
      <button type="button" aria-label="One fewer" disabled={disabled || value <= 1} onClick={() => set(value - 1)}>
        −
      </button>
      <input
        aria-label="Quantity"
        inputMode="numeric"
        value={text ?? value}
        disabled={disabled}
        onChange={(event) => setText(event.target.value.replace(/\D/g, '').slice(0, 3))}
        onBlur={settle}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            settle();
          }
        }}
      />
      <button type="button" aria-label="One more" disabled={disabled || value >= max} onClick={() => set(value + 1)}>
        +
      </button>
    </div>
  );
}
