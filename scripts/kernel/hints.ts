/** What a reader of notebooks can do about an error that the compiler words for those who write programs. */
export function hints({ code, messageText }: { code: number; messageText: string }): string[] {
  // "Cannot find name", without and with a guess: cells are run in any order, and forgotten by a restart.
  if (code === 2304 || code === 2552) return ['If another cell declares it, run that one first.'];
  if (/^(Argument of type|Type) 'Promise<|on type 'Promise</.test(messageText)) return ['Is an "await" missing?'];
  return [];
}
