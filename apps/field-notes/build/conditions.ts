/**
 * The packages of this repository are taken from their sources, so that nothing has to be built first. An
 * app of its own leaves this out.
 */
export const conditions: string[] = ['nexus-source', 'module', 'browser', 'import', 'default'];
