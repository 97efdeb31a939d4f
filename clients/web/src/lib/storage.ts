/** What the browser keeps between visits: JSON under a name, shared by all tabs. */
export interface Slot<T> {
  read(): T | undefined;
  write(value: T | undefined): void;
  /** Calls back after each change, of this tab and of others; gives what ends that. */
  subscribe(listener: () => void): () => void;
}

const prefix = 'techmart.';

/** Makes a slot. Without storage (a private window may refuse it) the value lives as long as the page. */
export function slot<T extends object>(name: string, storage: Storage | undefined = browserStorage()): Slot<T> {
  const key = prefix + name;
  const listeners = new Set<() => void>();
  let text: string | null = null;
  let value: T | undefined;
  const load = (): string | null => {
    try {
      return storage ? storage.getItem(key) : text;
    } catch {
      return text;
    }
  };
  return {
    read() {
      const now = load();
      if (now !== text) {
        text = now;
        value = parse(now) as T | undefined;
      }
      return value;
    },
    write(next) {
      text = next === undefined ? null : JSON.stringify(next);
      value = next;
      try {
        if (text === null) {
          storage?.removeItem(key);
        } else {
          storage?.setItem(key, text);
        }
      } catch {
        // The value stays in memory.
      }
      listeners.forEach((listener) => listener());
    },
    subscribe(listener) {
      const elsewhere = (event: StorageEvent) => {
        if (event.key === key || event.key === null) {
          listener();
        }
      };
      listeners.add(listener);
      globalThis.addEventListener('storage', elsewhere);
      return () => {
        listeners.delete(listener);
        globalThis.removeEventListener('storage', elsewhere);
      };
    },
  };
}

function parse(text: string | null): unknown {
  if (text === null) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function browserStorage(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
