import { Problem } from '../../shared/problem.mjs';

/** A fault that the proxy can make: what it does, its unit, its bounds, and the number that the page offers. */
interface FaultKind {
  readonly about: string;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly usual: number;
}

/** Every fault, by its name on the command line. `drop-prefer` is on (1) or off, and has no unit. */
export const FAULTS = {
  buffer: {
    about: 'hold each answer back, its head too, until so many bytes of its body wait or it ends',
    ...{ unit: 'bytes', min: 1, max: 262_144, usual: 16_384 },
  },
  cut: {
    about: 'break the connection of each request that lasts longer',
    ...{ unit: 's', min: 1, max: 3_600, usual: 5 },
  },
  delay: {
    about: 'pass each piece of an answer on that much later',
    ...{ unit: 'ms', min: 1, max: 60_000, usual: 500 },
  },
  idle: {
    about: 'close a connection that is idle for that long; 504 if the answer has not begun',
    ...{ unit: 's', min: 1, max: 3_600, usual: 10 },
  },
  'drop-prefer': { about: 'drop the header Prefer from each request', unit: '', min: 1, max: 1, usual: 1 },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** The faults that are on, each with its number, in its unit. */
export type FaultState = Partial<Record<FaultName, number>>;

/** The faults of a proxy, which can be switched while it runs. */
export class Faults {
  private state: FaultState = {};
  /** Grows with each change. */
  revision = 0;
  /** Whether any fault was ever on. */
  wereOn = false;
  private readonly listeners = new Set<() => void>();

  /** @param given - faults to begin with, as the command line has them: `cut=5`, `drop-prefer`. Error: a {@link Problem}. */
  constructor(given: readonly string[] = []) {
    for (const each of given) {
      const [name = '', text = name === 'drop-prefer' ? '1' : ''] = each.split(/=(.*)/s, 2);
      this.set(name, /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN);
    }
  }

  /** Switches a fault on with a number, in its unit, or off with null. Error: a {@link Problem}; nothing has changed then. */
  set(name: unknown, value: unknown): void {
    if (typeof name !== 'string' || !Object.hasOwn(FAULTS, name)) {
      throw new Problem(`Expected a fault (${FAULT_NAMES.join(', ')}), got ${JSON.stringify(name)}.`);
    }
    const { unit, min, max } = FAULTS[name as FaultName];
    if (value !== null && !(Number.isInteger(value) && Number(value) >= min && Number(value) <= max)) {
      const range = unit ? `from ${min} to ${max} (${unit})` : '1';
      throw new Problem(`The fault "${name}" expects a whole number ${range}, as in "${usage(name as FaultName)}".`);
    }
    const { [name as FaultName]: _, ...others } = this.state;
    this.state = value === null ? others : { ...others, [name]: value };
    this.wereOn ||= value !== null;
    this.revision += 1;
    for (const listener of this.listeners) listener();
  }

  get(name: FaultName): number | undefined {
    return this.state[name];
  }

  /** Calls back after each change. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  get isOn(): boolean {
    return Object.keys(this.state).length > 0;
  }

  toJSON(): FaultState {
    return this.state;
  }

  /** The faults that are on, for a person: `cut=5, drop-prefer`; empty if there are none. */
  toString(): string {
    return FAULT_NAMES.filter((name) => this.state[name] !== undefined)
      .map((name) => usage(name, this.state[name]))
      .join(', ');
  }
}

/** How a fault is written on the command line. */
export const usage = (name: FaultName, value: number = FAULTS[name].usual) =>
  FAULTS[name].unit ? `${name}=${value}` : name;
