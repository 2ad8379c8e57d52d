/**
 * How many bytes a text takes in memory. V8 keeps a text in one byte a character while all its characters are
 * Latin-1, and in two bytes a character otherwise.
 */
export const textBytes = (text: string): number => (/[^\0-\xff]/.test(text) ? 2 * text.length : text.length);
