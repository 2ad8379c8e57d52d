// What the kernel says of itself.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { chooseCompiler } from './choose-compiler.js';
import { type Content, PROTOCOL_VERSION } from './protocol.js';
import { settings } from './settings.js';

/** https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-info */
export function kernelInfo(isJS: boolean): Content {
  const tslab: string = require('tslab/package.json').version;
  // Read, not loaded: the compiler itself takes much longer than this answer may.
  const tslabFolder = dirname(createRequire(__filename).resolve('tslab/package.json'));
  const { version: typescript } = chooseCompiler(process.cwd(), settings.metadataKey, tslabFolder);
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: isJS ? 'jslab' : 'tslab',
    implementation_version: tslab,
    language_info: isJS
      ? {
          name: 'javascript',
          version: process.versions.node,
          mimetype: 'text/javascript',
          file_extension: '.js',
          pygments_lexer: 'javascript',
          codemirror_mode: { name: 'javascript' },
          nbconvert_exporter: 'script',
        }
      : {
          name: 'typescript',
          version: typescript,
          mimetype: 'text/typescript',
          file_extension: '.ts',
          pygments_lexer: 'typescript',
          // As a string, which JupyterLab looks up as a media type, too: of an object it takes the name alone, as a language's.
          codemirror_mode: 'application/typescript',
          nbconvert_exporter: 'script',
        },
    banner: `${isJS ? 'JavaScript, checked by TypeScript' : 'TypeScript'} ${typescript} (tslab ${tslab}, Node.js ${process.version})`,
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'tslab', url: 'https://github.com/yunabe/tslab' },
    ],
  };
}
