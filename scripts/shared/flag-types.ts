/** A flag of a command: one with a value, or one that is given or not. */
export interface Flag {
  /** For the help. */
  readonly about: string;
  readonly short?: string;
  /** It has a value, and the help names it so: `PORT`. */
  readonly value?: string;
  readonly default?: string;
  /** It may be repeated. */
  readonly multiple?: boolean;
  /** Only these names may be given. */
  readonly oneOf?: readonly string[];
  /** Its value is a whole number within these bounds. */
  readonly whole?: readonly [min: number, max: number];
  /** Its value is a number above 0, of seconds say. */
  readonly positive?: true;
}

/** What a command is called, takes and says of itself. */
export interface Command {
  /** `npm start`; what follows the `--` is added. */
  readonly call: string;
  readonly about: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** What may be named beside flags: `notebook, folder or glob ...`. Default: nothing. */
  readonly names?: string;
  /** Its parts, each with what it does. */
  readonly parts?: Readonly<Record<string, string>>;
  /** The end of the help: exit codes, environment variables. */
  readonly notes?: string;
  /** It needs no Jupyter, so that npm's packages alone are installed for it. */
  readonly onlyNpm?: boolean;
  /** What `--help` prints. Default: a text made of all this. */
  readonly help?: string;
}

type One<F> = F extends { whole: unknown } | { positive: true }
  ? number
  : F extends { value: string }
    ? string
    : boolean;

type Value<F> = F extends { multiple: true }
  ? One<F>[]
  : F extends { value: string; default?: undefined }
    ? One<F> | undefined
    : One<F>;

/** What was given: a list for a flag that may be repeated, undefined for one that was not given and has no default. */
export type Values<C extends Command> = { [Name in keyof C['flags']]: Value<C['flags'][Name]> };
