/**
 * A deadline for something that is waited for, so that a server that hangs is a failed test with a name, not a stuck run.
 *
 * @param what - completes the sentence "waited 20 s for …"; a function is asked at the deadline, to tell what there was.
 * @param ms - milliseconds; generous, because it is only reached when something is wrong.
 */
export async function within<T>(promise: Promise<T>, what: string | (() => string), ms = 20_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const tell = typeof what === 'string' ? what : what();
      reject(new Error(`waited ${ms / 1000} s for ${tell}`));
    }, ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the answer is there. For what a server can only be asked, such as its ledger. */
export async function eventually<T>(
  ask: () => Promise<T | undefined>,
  what: string | (() => string),
  ms = 20_000,
): Promise<T> {
  let given: T | undefined;
  let over = false;
  const loop = async () => {
    while (!over) {
      given = await ask();
      if (given !== undefined) return given;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('over');
  };
  try {
    return await within(loop(), what, ms);
  } finally {
    over = true;
  }
}
