// %%
const total = 6.5;
