// %%
class total {}
