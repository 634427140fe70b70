// What this package uses of Expo's packages. They are peers and not installed beside it; the check folder
// compiles the same sources against their real types, without this file.
declare module 'expo-modules-core' {
  export function requireOptionalNativeModule<Module = unknown>(name: string): Module | null;
}

declare module 'expo-task-manager' {
  export function defineTask<Data = unknown>(
    name: string,
    executor: (body: { readonly data: Data }) => Promise<unknown>,
  ): void;
}

declare module 'expo-sqlite' {
  export function openDatabaseAsync(
    name: string,
    options?: { readonly useNewConnection?: boolean },
    directory?: string,
  ): Promise<unknown>;
}
