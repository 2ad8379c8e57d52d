export const one = await Promise.resolve(1);
