/** Files that a person drops on the page, as the host wants to be given them. */

/** What `check`, `shadow` and each policy of `activate` take. */
export type Upload = {
  file: string;
  text?: string;
  code_base64?: string;
  signature?: string;
  settings?: Record<string, boolean | number | string>;
};

/** A version that the host keeps, with some of its settings changed: its code and its signature stay on the host. */
export type Kept = { stored: string; settings?: Record<string, boolean | number | string> };

/** What recorded decisions are asked again of: a policy as it is given, or a version on record. */
export type Subject = { policy: Upload | Kept };

export type Given = { name: string; bytes: Uint8Array };

export type Offered = { uploads: Upload[]; sizes: number[]; problem: string | null };

/** Policies of a set: one of each kind. */
const POLICIES_MAX = 4;
/** The host takes bodies of 24 MiB, and base64 makes a third more of it. */
const BYTES_MAX = 17 * 1024 * 1024;

/** Policies with the signatures that lie beside them. Nothing is offered while something is wrong. */
export function offered(files: readonly Given[]): Offered {
  const none = (problem: string): Offered => ({ uploads: [], sizes: [], problem });
  const policies = files.filter(({ name }) => /\.(rhai|wasm)$/i.test(name));
  const signatures = files.filter(({ name }) => /\.sig$/i.test(name));
  const other = files.find((file) => !policies.includes(file) && !signatures.includes(file));
  if (other !== undefined) return none(`${other.name} is no policy: give .rhai or .wasm, and .sig beside it`);
  if (files.length === 0) return { uploads: [], sizes: [], problem: null };
  if (policies.length === 0) return none('A signature alone is no policy: give the file it signs, too');
  if (policies.length > POLICIES_MAX) return none(`At most ${POLICIES_MAX} policies go together, one of each kind`);
  if (files.reduce((sum, { bytes }) => sum + bytes.length, 0) > BYTES_MAX) return none(`Together more than ${BYTES_MAX / 1024 / 1024} MiB: the host would refuse it`);
  const empty = policies.find(({ bytes }) => bytes.length === 0);
  if (empty !== undefined) return none(`${empty.name} is empty`);
  const stray = signatures.find(({ name }) => !policies.some((policy) => `${policy.name}.sig` === name));
  if (stray !== undefined) return none(`${stray.name} belongs to none of the files: it is named after the file it signs`);
  const uploads = policies.map(({ name, bytes }) => {
    const signature = signatures.find((one) => one.name === `${name}.sig`);
    return { ...uploadOf(name, bytes), ...(signature === undefined ? {} : { signature: new TextDecoder().decode(signature.bytes) }) };
  });
  return { uploads, sizes: policies.map(({ bytes }) => bytes.length), problem: null };
}

/** Scripts as text, so that the host can say where in it something is wrong; all else in base64. */
export function uploadOf(file: string, bytes: Uint8Array): Upload {
  if (/\.rhai$/i.test(file)) {
    try {
      return { file, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
    } catch {
      // Not text: the host says so better than we could.
    }
  }
  return { file, code_base64: base64(bytes) };
}

/** In pieces, for a call takes only so many arguments. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
