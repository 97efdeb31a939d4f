import { useState } from 'react';
import { explain, formErrors, type FormErrors, type UserError } from './errors';

const none: FormErrors = { fields: {} };

/**
 * The life of a form: its values, whether it is at work, and what was wrong. send gives the user errors; an empty
 * list is success.
 */
export function useForm<T extends Record<string, string>>(initial: T) {
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState<FormErrors>(none);
  const [busy, setBusy] = useState(false);
  const names = Object.keys(initial);
  const input = (name: keyof T & string) => ({
    name,
    value: values[name] as string,
    error: errors.fields[name],
    onChange: (event: { target: { value: string } }) => setValues((v) => ({ ...v, [name]: event.target.value })),
  });
  const submit = (send: () => Promise<readonly UserError[]>) => async (event: { preventDefault: () => void }) => {
    event.preventDefault();
    if (busy) {
      return;
    }
    setBusy(true);
    setErrors(none);
    try {
      const faults = await send();
      setErrors(faults.length > 0 ? formErrors(faults, names) : none);
    } catch (error) {
      setErrors({ summary: explain(error), fields: {} });
    } finally {
      setBusy(false);
    }
  };
  return { values, setValues, errors, busy, input, submit };
}
