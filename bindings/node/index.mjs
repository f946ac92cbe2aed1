import rouet from './index.js';

export const { Pool, RouetError, urlGroup, version, backend } = rouet;
