// The wire format of Jupyter messages.
// https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

/** "The version of the message protocol": 5.3 is the first with interrupt_request. */
export const PROTOCOL_VERSION = '5.3';

export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

export type Content = Record<string, unknown>;

export interface Message {
  identities: Buffer[];
  header: Header;
  parent: Header | Record<string, never>;
  metadata: Content;
  content: Content;
}

/** The connection file's members that the kernel reads. */
export interface Connection {
  transport: string;
  ip: string;
  key: string;
  signature_scheme: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
}

const DELIMITER = Buffer.from('<IDS|MSG>');

function sign(key: string, parts: readonly (Buffer | string)[]): string {
  // "If auth is disabled, the signature field is an empty string."
  if (key === '') return '';
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}

/** Throws where the frames are no Jupyter message signed with `key`. */
export function decode(key: string, frames: readonly Buffer[]): Message {
  const at = frames.findIndex((frame) => frame.equals(DELIMITER));
  const [signature, ...parts] = frames.slice(at + 1);
  if (at < 0 || !signature || parts.length < 4) throw new Error('not a Jupyter message');
  const expected = Buffer.from(sign(key, parts));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw new Error('its signature does not fit the key of the connection file');
  }
  const [header, parent, metadata, content] = parts.map((part, i) => (i < 4 ? JSON.parse(part.toString()) : undefined));
  return { identities: frames.slice(0, at), header, parent, metadata, content };
}

export function encode(key: string, message: Message): Buffer[] {
  const { header, parent, metadata, content } = message;
  const parts = [header, parent, metadata, content].map((part) => Buffer.from(toWellFormed(JSON.stringify(part))));
  return [...message.identities, DELIMITER, Buffer.from(sign(key, parts)), ...parts];
}

/**
 * JSON without lone surrogates, such as half an emoji: Python's clients cannot write them to a file. `JSON.stringify` escapes
 * those alone (ECMA-262, QuoteJSONString), and a terminal shows U+FFFD for them too.
 */
function toWellFormed(json: string): string {
  if (!json.includes('\\ud')) return json;
  return json.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (part) => (/^\\ud/.test(part) ? '\ufffd' : part));
}

const session = randomUUID();

export function makeMessage(
  msg_type: string,
  parent: Header | undefined,
  content: Content,
  identities: Buffer[] = [],
): Message {
  const header = {
    msg_id: randomUUID(),
    session,
    username: parent?.username ?? 'kernel',
    date: new Date().toISOString(),
    msg_type,
    version: PROTOCOL_VERSION,
  };
  return { identities, header, parent: parent ?? {}, metadata: {}, content };
}
