// Declarations of what the running Node has, and the newest library of tslab's compiler (es2023) has not.

const has = (target: object, name: string) => name in target;

const ITERATOR = `
  map<U>(callback: (value: T, index: number) => U): IterableIterator<U>;
  filter(callback: (value: T, index: number) => unknown): IterableIterator<T>;
  take(limit: number): IterableIterator<T>;
  drop(count: number): IterableIterator<T>;
  flatMap<U>(callback: (value: T, index: number) => Iterable<U> | Iterator<U>): IterableIterator<U>;
  reduce<U>(callback: (result: U, value: T, index: number) => U, initial: U): U;
  toArray(): T[];
  forEach(callback: (value: T, index: number) => void): void;
  some(callback: (value: T, index: number) => unknown): boolean;
  every(callback: (value: T, index: number) => unknown): boolean;
  find(callback: (value: T, index: number) => unknown): T | undefined;`;

const TYPED = ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64'];
const CHANGE_BY_COPY = [
  ...['Array', 'ReadonlyArray'].map(
    (name) => `interface ${name}<T> {
  toReversed(): T[];
  toSorted(compare?: (a: T, b: T) => number): T[];
  toSpliced(start: number, deleteCount?: number, ...items: T[]): T[];
  with(index: number, value: T): T[];
}`,
  ),
  ...TYPED.map(
    (name) => `interface ${name}Array {
  toReversed(): ${name}Array;
  toSorted(compare?: (a: number, b: number) => number): ${name}Array;
  with(index: number, value: number): ${name}Array;
}`,
  ),
].join('\n');

const parts: [present: boolean, declarations: string][] = [
  [has(Array.prototype, 'toSorted'), CHANGE_BY_COPY],
  [has(String.prototype, 'isWellFormed'), 'interface String { isWellFormed(): boolean; toWellFormed(): string }'],
  [
    has(Object, 'groupBy'),
    `interface ObjectConstructor {
  groupBy<K extends PropertyKey, T>(items: Iterable<T>, key: (item: T, index: number) => K): Partial<Record<K, T[]>>;
}
interface MapConstructor { groupBy<K, T>(items: Iterable<T>, key: (item: T, index: number) => K): Map<K, T[]> }`,
  ],
  [
    has(Promise, 'withResolvers'),
    `interface PromiseConstructor {
  withResolvers<T>(): {
    promise: Promise<T>; resolve: (value: T | PromiseLike<T>) => void; reject: (reason?: any) => void;
  };
}`,
  ],
  [
    has(Promise, 'try'),
    `interface PromiseConstructor {
  try<T, A extends unknown[]>(callback: (...args: A) => T | PromiseLike<T>, ...args: A): Promise<Awaited<T>>;
}`,
  ],
  [
    has(Array, 'fromAsync'),
    `interface ArrayConstructor {
  fromAsync<T>(items: AsyncIterable<T> | Iterable<T | PromiseLike<T>> | ArrayLike<T | PromiseLike<T>>): Promise<T[]>;
  fromAsync<T, U>(
    items: AsyncIterable<T> | Iterable<T> | ArrayLike<T>, map: (value: Awaited<T>, index: number) => U,
  ): Promise<Awaited<U>[]>;
}`,
  ],
  [
    has(Set.prototype, 'union'),
    `interface Set<T> {
  union<U>(other: ReadonlySet<U>): Set<T | U>;
  intersection<U>(other: ReadonlySet<U>): Set<T & U>;
  difference(other: ReadonlySet<unknown>): Set<T>;
  symmetricDifference<U>(other: ReadonlySet<U>): Set<T | U>;
  isSubsetOf(other: ReadonlySet<unknown>): boolean;
  isSupersetOf(other: ReadonlySet<unknown>): boolean;
  isDisjointFrom(other: ReadonlySet<unknown>): boolean;
}`,
  ],
  [
    'Iterator' in globalThis,
    `interface IterableIterator<T> {${ITERATOR}\n}\ninterface Generator<T = unknown, TReturn = any, TNext = unknown> {${ITERATOR}\n}`,
  ],
];

/** The text of a declaration file; empty where there is nothing to add. */
export const nodeLibrary = parts.map(([present, text]) => (present ? `${text}\n` : '')).join('');
