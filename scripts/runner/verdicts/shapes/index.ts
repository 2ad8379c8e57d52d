export const side = 3;
