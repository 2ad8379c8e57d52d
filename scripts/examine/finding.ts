/** `serious`: data is lost or late, or readers stop for good. `warning`: it will be, in common circumstances. `note`: to know. */
export type Severity = 'serious' | 'warning' | 'note';
export const SEVERITIES: readonly Severity[] = ['serious', 'warning', 'note'];

/** What a rule saw. Without a `severity`, it is the rule's own. */
export interface Sight {
  /** One or two sentences with the numbers that were seen. */
  readonly saw: string;
  /** Lower than the rule's where the evidence leaves another explanation. */
  readonly severity?: Severity;
}

/** One thing that can be wrong with what was looked at. */
export interface Rule<Seen> {
  /** What `--off` names. */
  readonly id: string;
  /** How bad it is, at worst. */
  readonly severity: Severity;
  readonly why: string;
  readonly fix: string;
  /** Where the standard or the vendor says so. */
  readonly source: { readonly name: string; readonly url: string };
  /** The number of the notebook that explains it. */
  readonly notebook: string;
  /** What is wrong, or nothing. */
  look(seen: Seen): Sight | undefined;
}

/** A rule that saw something. */
export interface Finding extends Sight {
  readonly rule: string;
  readonly severity: Severity;
  readonly why: string;
  readonly fix: string;
  readonly source: { readonly name: string; readonly url: string };
  readonly notebook: string;
}

/** Applies each rule but those that are switched `off`. The worst finding comes first. */
export function judge<Seen>(rules: readonly Rule<Seen>[], seen: Seen, off: readonly string[] = []): Finding[] {
  const findings = rules
    .filter(({ id }) => !off.includes(id))
    .flatMap((rule): Finding[] => {
      const sight = rule.look(seen);
      if (!sight) return [];
      const { id, severity, why, fix, source, notebook } = rule;
      return [{ rule: id, severity, why, fix, source, notebook, ...sight }];
    });
  return findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** A count with its noun: `1 event`, `2 events`. */
export const count = (number: number, noun: string) =>
  `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

/** A duration for a person: `340 ms`, `3.2 s`, `2 min`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${Number((ms / 1_000).toFixed(1))} s` : `${Number((ms / 60_000).toFixed(1))} min`;
}
