/** What the metadata of a notebook of the course, or of a cell of it, may say under `"polling-lab"`. */
export interface CourseMetadata {
  title?: string;
  /** What the reader will find out. */
  goals?: string[];
  /** How long the notebook's cells run, in minutes, rounded up to half a minute. */
  runMinutes?: number;
  /** The cell whose plot stands for the notebook in the README. */
  picture?: string;
  /** The lines of the syllabus that a cell stands for. */
  covers?: string[];
  /** Of a case file's first cell: the numbers of the notebooks whose end links to it. */
  caseOf?: number[];
}

export const courseMetadata = ({ metadata }: { metadata?: object }): CourseMetadata =>
  (metadata as { 'polling-lab'?: CourseMetadata } | undefined)?.['polling-lab'] ?? {};
