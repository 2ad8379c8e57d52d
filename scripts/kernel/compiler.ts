// From a cell's TypeScript to JavaScript, by tslab's converter, and back again for error positions.
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import type { QuickInfo } from '@tslab/typescript-for-tslab';
import {
  type CompletionInfo,
  type Converter,
  type ConvertResult,
  createConverter,
  type Diagnostic,
} from 'tslab/dist/converter.js';
import { instrument } from './instrument.js';
import { writeShorthandOut } from './shorthand.js';
import { ts } from './typescript.js';

export interface Position {
  /** Zero-based, as everywhere in the compiler. */
  line: number;
  column: number;
}

/** Maps a position in the JavaScript that runs to one in the TypeScript that was written. */
export type Mapper = (position: Position) => Position;

const mappers = new Map<string, Mapper>();

/** The mapper for a text that the converter returned. */
export function mapperOf(javascript: string): Mapper | undefined {
  return mappers.get(javascript);
}

/** tslab puts one line before each cell, to make it a module. */
const CELL_PREFIX_LINES = 1;

/**
 * Changes to the compiler before tslab uses it. tslab offers no setting for them; it looks these
 * functions up each time it calls them.
 */
function adjustCompiler(): void {
  const optionsFile = join(__dirname, 'cell-options.json');
  const { compilerOptions } = JSON.parse(readFileSync(optionsFile, 'utf8'));
  const { options, errors } = ts.convertCompilerOptionsFromJson(compilerOptions, __dirname);
  if (errors.length > 0) throw new Error(`${optionsFile}: ${errors[0]!.messageText}`);

  const compiler = ts as unknown as {
    createWatchCompilerHost: (files: string[], own: object, ...rest: unknown[]) => unknown;
    transpileModule: typeof ts.transpileModule;
    sys: typeof ts.sys;
  };
  const { createWatchCompilerHost, transpileModule } = compiler;

  // Our options, shared with the checker of cells, go over tslab's.
  compiler.createWatchCompilerHost = (files, own, ...rest) =>
    createWatchCompilerHost(files, { ...own, ...options, inlineSourceMap: true }, ...rest);

  // tslab compiles in two steps, TypeScript to ES modules to CommonJS; here is the second.
  compiler.transpileModule = (input, transpileOptions) => {
    const [code, comment] = splitMap(input);
    const output = transpileModule(code, {
      ...transpileOptions,
      compilerOptions: { ...transpileOptions.compilerOptions, sourceMap: true },
    });
    const [javascript] = splitMap(output.outputText);
    const { code: outputText, original } = instrument(javascript);
    if (comment && output.sourceMapText) {
      const toModule = new SourceMap(JSON.parse(output.sourceMapText));
      const toSource = new SourceMap(JSON.parse(Buffer.from(comment, 'base64').toString()));
      mappers.set(outputText, ({ line, column }) =>
        find(toSource, find(toModule, { line, column: original(line, column) })),
      );
    }
    return { ...output, outputText };
  };

  // A reader edits the files of the course, not those of packages: watching a hundred of these
  // costs time at the start and the files are read once.
  const watchFile = compiler.sys.watchFile!.bind(compiler.sys);
  compiler.sys.watchFile = (path, ...rest) =>
    path.includes('/node_modules/') ? { close() {} } : watchFile(path, ...rest);

  writeShorthandOut(ts as unknown as Parameters<typeof writeShorthandOut>[0]);
}

const MAP_COMMENT = /\n?\/\/# sourceMappingURL=(?:data:application\/json;base64,)?(\S+)\s*$/;

function splitMap(text: string): [code: string, map: string | undefined] {
  const match = MAP_COMMENT.exec(text);
  return match ? [text.slice(0, match.index), match[1]] : [text, undefined];
}

function find(map: SourceMap, { line, column }: Position): Position {
  const entry = map.findEntry(line, column);
  return 'originalLine' in entry ? { line: entry.originalLine, column: entry.originalColumn } : { line, column };
}

export interface Compiled extends ConvertResult {
  map: Mapper;
}

export class Compiler {
  private readonly converter: Converter;
  private declarations = '';

  constructor() {
    adjustCompiler();
    this.converter = createConverter();
  }

  /** Compiles a cell after all those that were `keep`-t. */
  compile(source: string): Compiled {
    const converted = this.converter.convert(this.declarations, source);
    const mapper = mapperOf(converted.output ?? '');
    return {
      ...converted,
      map: (position) => {
        const { line, column } = mapper?.(position) ?? position;
        return { line: line - CELL_PREFIX_LINES, column };
      },
    };
  }

  /** What the cell declared is there for the cells after it. */
  keep(compiled: ConvertResult): void {
    this.declarations = compiled.declOutput ?? '';
  }

  addModule(...args: Parameters<Converter['addModule']>): Diagnostic[] {
    return this.converter.addModule(...args);
  }

  inspect(source: string, position: number): QuickInfo | undefined {
    return this.converter.inspect(this.declarations, source, position);
  }

  complete(source: string, position: number): CompletionInfo {
    return this.converter.complete(this.declarations, source, position);
  }
}
