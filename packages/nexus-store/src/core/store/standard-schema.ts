import { StoreError } from '../model/errors.ts';

/**
 * The part of Standard Schema (standardschema.dev, version 1) that is used here, so that zod, valibot,
 * arktype and the like fit without a dependency.
 */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
  };
}

export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The value as the schema gives it back.
 *
 * @throws StoreError `store/invalid-value`, naming each place
 */
export async function validate<T>(schema: StandardSchema<T>, value: unknown): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path }) => {
    const place = (path ?? [])
      .map((part) => String(typeof part === 'object' ? part.key : part))
      .join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  throw new StoreError('store/invalid-value', issues.join('; '));
}
