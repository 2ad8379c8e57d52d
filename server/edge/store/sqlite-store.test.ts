import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../core/log/store.js';
import { DelayedStore } from './delayed-store.js';
import { SqliteStore } from './sqlite-store.js';
import { type Place, storeSuite } from './store-suite.js';

const temporary = () => mkdtempSync(join(tmpdir(), 'polling-lab-store-'));

/** A folder. SQLite lets go of a file when the process ends: in this process, the next store gets a copy of the folder. */
function folderPlace(wrap: (store: SqliteStore) => Store): Place {
  const folders = [temporary()];
  let over = false;
  return {
    store() {
      if (over) {
        const copy = temporary();
        cpSync(folders.at(-1) as string, copy, { recursive: true });
        folders.push(copy);
        over = false;
      }
      const store = SqliteStore.at(folders.at(-1) as string);
      const close = store.close.bind(store);
      store.close = () => {
        over = true;
        close();
      };
      return wrap(store);
    },
    crash() {
      over = true;
    },
    remove() {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

storeSuite('SQLite', () => folderPlace((store) => store));
storeSuite('SQLite, some turns of the event loop away', () => folderPlace((store) => new DelayedStore(store)));
