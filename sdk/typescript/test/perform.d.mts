export const token: string;
export function perform(url: string, call: unknown): Promise<Record<string, unknown>>;
export function performAll(list: unknown): Promise<Record<string, unknown>[]>;
