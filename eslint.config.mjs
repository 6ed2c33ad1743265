import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: ['**/dist/', '**/node_modules/', '**/.ipynb_checkpoints/', 'jupyter/share/*extensions/', 'test/hostile/'],
  },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['log', 'error', 'warn'] }],
    },
  },
  {
    // Shape signs in `expectShape` prove what the compiler cannot see.
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    // A chapter imports NotWritten for its released form, where the exercises throw it.
    files: ['solutions/*.ts'],
    rules: { '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^NotWritten$' }] },
  },
);
