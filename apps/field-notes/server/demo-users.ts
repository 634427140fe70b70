export interface User {
  /** Stable: rows and waiting writes on devices belong to it. */
  readonly principal: string;
  readonly name: string;
}

/** Users by the access code that they sign in with. A real server has tokens that end, and a way to get one. */
export type Users = Readonly<Record<string, User>>;

export const DEMO_USERS: Users = {
  'field-day': { principal: 'field-team', name: 'Field team' },
  'night-shift': { principal: 'night-crew', name: 'Night crew' },
};
