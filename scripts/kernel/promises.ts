// A promise shown by a cell looks as anywhere.
import { inspect } from 'node:util';

/**
 * While async context is followed, Node 20 marks each promise with symbols, which `inspect` then
 * shows. They are made invisible when a promise is shown.
 */
export function hidePromiseMarks(): void {
  Object.defineProperty(Promise.prototype, inspect.custom, {
    configurable: true,
    value(this: object, _depth: number, options: object, show: typeof inspect) {
      if (!Object.isExtensible(this)) return show(this, { ...options, customInspect: false });
      for (const mark of Object.getOwnPropertySymbols(this)) {
        const { description = '' } = mark;
        if (/^(async_id|trigger_async_id|kResourceStore)/.test(description)) {
          Object.defineProperty(this, mark, { enumerable: false });
        }
      }
      // Here nothing custom, so that `inspect` goes on by itself.
      Object.defineProperty(this, inspect.custom, { value: undefined, configurable: true });
      try {
        return show(this, options);
      } finally {
        Reflect.deleteProperty(this, inspect.custom);
      }
    },
  });
}
